"""Our RTMP server: lets a publisher in at a public port, checks the key, and hands the publication to the source.

The room knows RTMP's handshake, chunks and commands, and FLV. Every length is checked, because the bytes come from
strangers. Nothing is decoded here. `protocol` does no input or output and is the first file to read; `door` has the
public port, `relay` the private port.
"""

import socket
from typing import TYPE_CHECKING

from sdstream.config.sources import RtmpSourceSettings
from sdstream.sources.rtmp_server.address import RtmpServer, RtmpServerAddress, open_rtmp_server

if TYPE_CHECKING:
    from sdstream.ipc.context import Context
    from sdstream.ipc.live_text import LiveText

__all__ = ["RtmpServer", "RtmpServerAddress", "open_rtmp_server", "run_rtmp_server"]


def run_rtmp_server(
    context: "Context",
    public: socket.socket,
    private: socket.socket,
    settings: RtmpSourceSettings,
    token: bytes,
    why: "LiveText",
) -> None:
    """Serve publishers until the stage is stopped; the body of the stage. `why` gets the reason for a dark source."""
    from sdstream.sources.rtmp_server.server import serve

    serve(context, public, private, settings, token, why)
