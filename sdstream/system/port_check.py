"""Looks whether a TCP port of a setting is free, and which program has taken the port."""

import os
import socket

from sdstream.system.finding import Finding

RTMP_PORT = 1935


def rtmp(port: int = RTMP_PORT) -> Finding:
    """Try to listen on the usual port of RTMP, for `sdstream doctor` without a file."""
    return check_port("rtmp port", port, "source.listen")


def check_port(name: str, port: int, setting: str) -> Finding:
    """Try to listen on the port of `setting`, for `sdstream doctor`; `name` is the name of the finding."""
    with socket.socket() as probe:
        if os.name == "posix":  # on Windows this option would let two listeners share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            fix = f'end the program, or take a free port: --set {setting}="127.0.0.1:{port + 1}"'
            return Finding(name, "note", f"{port} is taken by {_owner(port) or error.strerror}", fix)
    return Finding(name, "ok", f"{port} is free")


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
