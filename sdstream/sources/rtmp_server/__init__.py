"""The RTMP gate: takes a publisher in at a public port, checks it, and hands its pictures to the source."""

import socket
from typing import TYPE_CHECKING

from sdstream.config.sources import RtmpSourceSettings
from sdstream.sources.rtmp_server.address import Gate, GateAddress, open_gate

if TYPE_CHECKING:
    from sdstream.ipc.context import Context

__all__ = ["Gate", "GateAddress", "open_gate", "run_gate"]


def run_gate(
    context: "Context", public: socket.socket, private: socket.socket, settings: RtmpSourceSettings, token: bytes
) -> None:
    """Serve publishers until the stage is stopped; a stage body."""
    from sdstream.sources.rtmp_server.server import serve

    serve(context, public, private, settings, token)
