"""The server's process: the door at the public port, and the relay to the source at the private port."""

import asyncio
import socket
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from sdstream.config.sources import RtmpSourceSettings
from sdstream.sources.rtmp_server.door import Door
from sdstream.sources.rtmp_server.relay import Relay

if TYPE_CHECKING:
    from sdstream.ipc.context import Context
    from sdstream.ipc.live_text import LiveText

_CLOSE_TIMEOUT = 1.0
_HEARTBEAT = 0.2


def serve(
    context: "Context",
    public: socket.socket,
    private: socket.socket,
    settings: RtmpSourceSettings,
    token: bytes,
    why: "LiveText",
) -> None:
    """Serve until the stage is stopped. The supervisor owns the sockets, and the sockets stay open."""
    asyncio.run(_Server(settings, token, why).run(context, public, private))


class _Server:
    """Both ports, and the tasks of all connections."""

    def __init__(self, settings: RtmpSourceSettings, token: bytes, why: "LiveText") -> None:
        self._why = why
        self._relay = Relay(token, settings.audio_track, settings.video_track)
        self._door = Door(settings, self._relay, self._start_task)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, context: "Context", public: socket.socket, private: socket.socket) -> None:
        """Listen at both ports while the stage runs."""
        entrance = public.dup()
        accepting = asyncio.create_task(self._door.accept(entrance))
        server = await asyncio.start_server(self._at_private_port, sock=private.dup())
        context.ready()
        while context.running and not accepting.done():
            await asyncio.sleep(_HEARTBEAT)
            self._tell()
        accepting.cancel()
        server.close()
        self._door.abort()
        self._relay.abort()
        await asyncio.wait({accepting, *self._tasks}, timeout=_CLOSE_TIMEOUT)
        entrance.close()
        if not accepting.cancelled():
            accepting.result()  # raises what ended the task

    def _tell(self) -> None:
        """Publish why no publisher is shown, shortened to the space in shared memory."""
        text = self._door.why(time.monotonic()).encode()[: self._why.capacity].decode(errors="ignore")
        if text != self._why.get()[1]:
            self._why.set(text)

    def _at_private_port(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._start_task(self._relay.serve_source(reader, writer))

    def _start_task(self, connection: Coroutine[None, None, None]) -> None:
        """Run `connection` as a task, and keep the task for `run` to wait for."""
        task = asyncio.get_running_loop().create_task(connection)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
