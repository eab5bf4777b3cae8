"""The check of the RTMP port, 1935 by default, for `sdstream doctor`."""

from sdstream.system.finding import Finding
from sdstream.system.port_check import check_port

RTMP_PORT = 1935


def check(port: int = RTMP_PORT) -> Finding:
    """Try to listen on the port."""
    return check_port("rtmp port", port, "source.listen")
