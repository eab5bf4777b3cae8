"""The gate's process: peers at the public door, the source at the private one, and one publication between them."""

import asyncio
import hmac
import socket
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from sdstream.config.sources import RtmpSourceSettings
from sdstream.log import get_logger
from sdstream.sources.rtmp_server.amf0 import ProtocolError
from sdstream.sources.rtmp_server.protocol import Finished, Media, PublishRequest, Session
from sdstream.sources.rtmp_server.publication import Publication

if TYPE_CHECKING:
    from sdstream.ipc.context import Context

_PIECE = 64 * 1024
_MOST_UNSENT = 256 * 1024  # answers that a peer does not fetch
_MOST_BEHIND = 2 * 1024 * 1024  # what the decoder does not fetch: 2.7 s at 6 Mbit/s
_SOCKET_BUFFER = 256 * 1024
_TOKEN_DEADLINE = 2.0
_FAREWELL = 1.0
_HEARTBEAT = 0.2


def serve(
    context: "Context", public: socket.socket, private: socket.socket, settings: RtmpSourceSettings, token: bytes
) -> None:
    """Serve until the stage is stopped. The sockets belong to the supervisor, and stay open."""
    asyncio.run(_Door(settings, token).run(context, public, private))


class _Refusals:
    """Writes at most one line a second about peers that were turned away: a port scan must not fill a disk."""

    def __init__(self) -> None:
        self._next = 0.0
        self._silent = 0

    def note(self, peer: str, reason: str) -> None:
        now = time.monotonic()
        if now < self._next:
            self._silent += 1
            return
        get_logger().warning("peer turned away", peer=peer, reason=reason, not_mentioned=self._silent)
        self._next, self._silent = now + 1, 0


class _Peer:
    """One connection at the public door."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.session = Session()
        self.writer = writer
        host, port, *_ = writer.get_extra_info("peername") or ("?", 0)
        self.name = f"{host}:{port}"
        self.refused = ""

    def flush(self) -> None:
        """Send what the session has to say. Raises ProtocolError if the peer does not listen."""
        self.writer.write(self.session.outgoing())
        if self.writer.transport.get_write_buffer_size() > _MOST_UNSENT:
            raise ProtocolError("it does not read our answers")


class _Door:
    """The state of the gate: who waits, who publishes, who reads."""

    def __init__(self, settings: RtmpSourceSettings, token: bytes) -> None:
        self._settings = settings
        self._token = token
        self._pending: list[_Peer] = []
        self._publisher: _Peer | None = None
        self._publication: Publication | None = None
        self._reader: asyncio.StreamWriter | None = None
        self._refusals = _Refusals()
        self._visits: set[asyncio.Task[None]] = set()

    async def run(self, context: "Context", public: socket.socket, private: socket.socket) -> None:
        """Listen at both doors while the stage runs."""
        servers = [
            await asyncio.start_server(self._at_public_door, sock=public.dup(), limit=_PIECE),
            await asyncio.start_server(self._at_private_door, sock=private.dup(), limit=_PIECE),
        ]
        context.ready()
        while context.running:
            await asyncio.sleep(_HEARTBEAT)
        for server in servers:
            server.close()
        writers = [peer.writer for peer in self._pending]
        writers += [self._publisher.writer] if self._publisher else []
        for writer in writers + ([self._reader] if self._reader else []):
            writer.transport.abort()
        if self._visits:
            await asyncio.wait(self._visits, timeout=_FAREWELL)

    def _at_public_door(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._receive(self._meet_peer(reader, writer))

    def _at_private_door(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._receive(self._meet_source(reader, writer))

    def _receive(self, visit: Coroutine[None, None, None]) -> None:
        """Follow a visit to its end, and remember it until then: the gate leaves nobody behind."""
        task = asyncio.get_running_loop().create_task(visit)
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def _meet_peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _Peer(writer)
        self._pending.append(peer)
        if len(self._pending) > self._settings.max_pending:
            oldest = self._pending.pop(0)
            oldest.refused = "too many peers wait"
            oldest.writer.transport.abort()
        try:
            await self._listen(peer, reader)
        except ProtocolError as error:
            self._refusals.note(peer.name, str(error))
        except TimeoutError:
            late = peer is not self._publisher
            self._refusals.note(peer.name, "it took too long to publish" if late else "it fell silent")
        except ConnectionError:
            if peer.refused:
                self._refusals.note(peer.name, peer.refused)
        finally:
            self._forget(peer)
            writer.transport.abort()

    async def _listen(self, peer: _Peer, reader: asyncio.StreamReader) -> None:
        """Follow one peer from its first byte to its last."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.handshake_timeout
        while not peer.refused:
            publishing = peer is self._publisher
            async with asyncio.timeout_at(clock() + self._settings.read_timeout if publishing else deadline):
                data = await reader.read(_PIECE)
            if not data:
                return
            now = time.monotonic()
            for event in peer.session.receive(data):
                if isinstance(event, PublishRequest):
                    self._decide(peer, event)
                elif isinstance(event, Media):
                    self._pass_on(peer, event, now)
                elif isinstance(event, Finished):
                    return
            peer.flush()
        async with asyncio.timeout(_FAREWELL):  # a peer that is refused shall hear why
            await peer.writer.drain()
            peer.writer.write_eof()
            while await reader.read(_PIECE):
                pass

    def _decide(self, peer: _Peer, request: PublishRequest) -> None:
        """Let a peer publish, or say why not. What it gave as key is never repeated to anybody."""
        reason = self._objection(request)
        if reason:
            peer.refused = reason
            peer.session.reject(reason)
            self._refusals.note(peer.name, reason)
            return
        if self._publisher is not None:
            get_logger().info("publisher replaced", peer=self._publisher.name, by=peer.name)
            previous, self._publisher = self._publisher, None
            previous.writer.transport.abort()
            self._end_publication()
        self._pending.remove(peer)
        self._publisher, self._publication = peer, Publication()
        peer.session.accept()
        get_logger().info("publisher connected", peer=peer.name, app=request.app)

    def _objection(self, request: PublishRequest) -> str:
        key = self._settings.key.get_secret_value() if self._settings.key else None
        if not hmac.compare_digest(request.app.encode(), self._settings.app.strip("/").encode()):
            return "wrong application"
        if key is not None and not _same(request.name, key):
            return "wrong stream key"
        if self._publisher is not None and self._settings.second_publisher == "refuse":
            return "somebody is publishing already"
        return ""

    def _pass_on(self, peer: _Peer, media: Media, now: float) -> None:
        publication = self._publication
        if peer is not self._publisher or publication is None:
            return
        reader = self._reader
        if reader is not None and reader.transport.get_write_buffer_size() > _MOST_BEHIND:
            publication.skip_to_key_frame()
        data = publication.feed(media, now, wanted=reader is not None)
        if reader is None:
            return
        if publication.outgrown():
            self._end_publication()  # the source comes back at once, and is then promised all tracks
        elif data:
            reader.write(data)

    def _end_publication(self) -> None:
        """Close the reader's file; what is still in the pipe arrives."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._publication is not None:
            self._publication.restart()

    def _forget(self, peer: _Peer) -> None:
        if peer in self._pending:
            self._pending.remove(peer)
        if peer is self._publisher:
            skipped = self._publication.skipped if self._publication else 0
            get_logger().info("publisher gone", peer=peer.name, skipped=skipped)
            self._publisher = None
            self._end_publication()
            self._publication = None

    async def _meet_source(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Let the source in by its token; a newer one takes the older one's place."""
        try:
            async with asyncio.timeout(_TOKEN_DEADLINE):
                token = await reader.readexactly(len(self._token))
            if not hmac.compare_digest(token, self._token):
                return
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
            self._end_publication()
            self._reader = writer
            while await reader.read(_PIECE):
                pass
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # a stranger on the loopback, or the source has died: its next process will come
        finally:
            if self._reader is writer:
                self._end_publication()
            writer.transport.abort()


def _same(given: str, key: str) -> bool:
    """Compare in constant time; some programs add parameters after the key."""
    exact = hmac.compare_digest(given.encode(), key.encode())
    bare = hmac.compare_digest(given.partition("?")[0].encode(), key.encode())
    return exact or bare
