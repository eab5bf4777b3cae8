"""Our RTMP server: lets a publisher in at a public port, checks the key, and hands the publication to the source.

The room knows RTMP's handshake, chunks and commands, and FLV, every length checked: strangers send these bytes.
Nothing is decoded here. `protocol` does no input or output and is the first file to read; `server` has the sockets.
"""

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
