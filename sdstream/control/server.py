"""Runs the control server's event loop in the stage's process."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sdstream.control.app import make_app
from sdstream.control.desk import Desk
from sdstream.control.ports import ServerPorts
from sdstream.control.presets import Presets
from sdstream.control.supervisor import Supervisor
from sdstream.control.surfaces.loop import Surfaces
from sdstream.ipc.context import Context
from sdstream.log import get_logger
from sdstream.system.user_folders import state_folder

REQUEST_WITHIN = 5.0
"""Seconds from the connection to the end of the first request's headers."""
STALL_WITHIN = 10.0
"""Seconds for a client that does not read the answer, until the client is left behind."""
_SOCKET_BUFFER = 256 * 1024  # bytes
KEEP_ALIVE = 15
"""Seconds for which an idle connection is kept."""


def serve(context: Context, ports: ServerPorts) -> None:
    """Serve clients until the stage is stopped."""
    asyncio.run(_serve(context, ports))


async def _serve(context: Context, ports: ServerPorts) -> None:
    presets = Presets(Path(ports.settings.presets) if ports.settings.presets else state_folder() / "presets.json")
    supervisor = Supervisor(ports)
    desk = Desk(supervisor, presets)
    surfaces = Surfaces(ports, supervisor, desk)
    server = _Server(
        uvicorn.Config(
            make_app(ports, supervisor, desk, surfaces),
            http=_PunctualProtocol,
            ws="websockets-sansio",
            ws_max_size=4096,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=ports.settings.clients,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=1,
        )
    )
    host, port = ports.listener.getsockname()[:2]
    get_logger().info("control server open", url=f"http://{host}:{port}/")
    running = asyncio.create_task(server.serve([ports.listener]))
    hands = asyncio.create_task(surfaces.run())
    context.ready()
    while context.running and not running.done() and not hands.done():
        await asyncio.wait([running, hands], timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
    hands.cancel()
    await desk.stop()
    server.should_exit = True
    await running
    with contextlib.suppress(asyncio.CancelledError):
        await hands


class _Server(uvicorn.Server):
    """Leaves the signals to the supervisor."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _PunctualProtocol(H11Protocol):
    """Closes a connection whose first request does not arrive in time, or that takes no answer; uvicorn itself waits
    for ever."""

    def connection_made(self, transport: Any) -> None:  # uvicorn's own type
        super().connection_made(transport)
        self._upgraded = False
        asyncio.get_running_loop().call_later(REQUEST_WITHIN, self._close_if_silent)
        # Pictures waiting in a socket are late: the system would let megabytes wait.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)

    def handle_websocket_upgrade(self, event: Any) -> None:  # h11's own type
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = asyncio.get_running_loop().call_later(STALL_WITHIN, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.cancel()

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self._upgraded and not self.transport.is_closing():
            self.transport.close()
