"""The check of the RTMP port, 1935 by default: is the port free, and which program has taken the port."""

import os
import socket

from sdstream.system.finding import Finding

RTMP_PORT = 1935


def check(port: int = RTMP_PORT) -> Finding:
    """Try to listen on the port, for `sdstream doctor`."""
    with socket.socket() as probe:
        if os.name == "posix":  # on Windows this option would let two listeners share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            fix = f'end the program, or take a free port: --set source.listen="127.0.0.1:{port + 1}"'
            return Finding("rtmp port", "note", f"{port} is taken by {_owner(port) or error.strerror}", fix)
    return Finding("rtmp port", "ok", f"{port} is free")


def _owner(port: int) -> str:
    """Name the process with `port`; empty when the system does not let this user know."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""
    return ""
