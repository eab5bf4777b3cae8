"""Settings of an RTMP source that listens on a free port of this machine, with a key."""

import socket

from sdstream.config.sources import RtmpSourceSettings

KEY = "canary-5f1c"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def listen(**more):
    settings = {"kind": "rtmp", "listen": f"127.0.0.1:{free_port()}", "key": KEY, **more}
    return RtmpSourceSettings(**settings)
