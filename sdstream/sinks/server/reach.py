"""Asks a server whether RTMP is spoken there, before FFmpeg connects.

FFmpeg reports most failures as "input/output error", and with PyAV 18 FFmpeg holds the interpreter while a server is
silent. A short connection of our own tells name, port, certificate and protocol apart, each with a timeout. The
certificate is checked here as well, because PyAV 18 ignores the TLS options of outputs.
"""

import os
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from sdstream.errors import Lost

_PORTS = {"rtmp": 1935, "rtmps": 443}
_VERSION = b"\3"  # RTMP specification 1.0, section 5.2.2: the version of the handshake
_RANDOM = 1536  # bytes of C1 and of S1


def reach(url: str, timeout: float, authorities: Path | None) -> None:
    """Return if the server of an RTMP `url` shakes hands within `timeout` seconds; other URLs are not asked.

    `authorities`: PEM file for rtmps. Raises Lost with the reason.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        return
    host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    where = f"{host}:{port}"
    with _connected(host, port, timeout) as plain:
        if parts.scheme == "rtmp":
            _shake_hands(plain, where, timeout)
            return
        with _secured(plain, host, where, authorities) as secured:
            _shake_hands(secured, where, timeout)


def _connected(host: str, port: int, timeout: float) -> socket.socket:
    where = f"{host}:{port}"
    try:
        return socket.create_connection((host, port), timeout)
    except socket.gaierror as error:
        raise Lost(
            f"the name {host} does not resolve ({error.strerror}); check the spelling, and the network of this machine"
        ) from None
    except ConnectionRefusedError as error:
        raise Lost(
            f"{where} refused the connection ({error.strerror}); expected a server listening at this address"
        ) from None
    except TimeoutError:
        raise Lost(
            f"{where} did not answer within {timeout:g} s; check address and port, and firewalls on the way"
        ) from None
    except (OSError, UnicodeError) as error:
        raise Lost(f"{where} cannot be reached ({error}); check address, and the network of this machine") from None


def _secured(plain: socket.socket, host: str, where: str, authorities: Path | None) -> ssl.SSLSocket:
    try:
        context = ssl.create_default_context(cafile=authorities)
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise Lost(
            f"the certificate of {where} is not trusted ({error.verify_message}); check the name in the URL and the "
            "clock of this machine, or name the server's authority in `ca_file`"
        ) from None
    except ssl.SSLError as error:
        raise Lost(
            f"{where} speaks no TLS ({error.reason}); write rtmp:// for a plain server, or the TLS port"
        ) from None
    except TimeoutError:
        raise Lost(f"{where} is silent where TLS begins; write rtmp:// for a plain server, or the TLS port") from None
    except OSError as error:
        raise Lost(
            f"{where} broke off where TLS begins ({error}); write rtmp:// for a plain server, or the TLS port"
        ) from None


def _shake_hands(server: socket.socket, where: str, timeout: float) -> None:
    """Send C0 and C1, and read S0, S1 and S2: a server that stops in between would hold FFmpeg as well."""
    first = b""
    try:
        server.sendall(_VERSION + bytes(8) + os.urandom(_RANDOM - 8))
        first = server.recv(1)
        left = 2 * _RANDOM
        while first == _VERSION and left and (data := server.recv(left)):
            left -= len(data)
        if first == _VERSION and not left:
            return
    except TimeoutError:
        raise Lost(
            f"{where} accepted the connection, and said nothing within {timeout:g} s; is this an RTMP server?"
        ) from None
    except OSError as error:
        raise Lost(f"{where} broke the connection off ({error}); is this an RTMP server?") from None
    if first in (b"", _VERSION):
        raise Lost(
            f"{where} closed the connection before a stream was named; the server may be full, or block this machine"
        )
    secure = first == b"\x15"  # RFC 8446, section 5.1: a TLS alert
    raise Lost(f"{where} speaks no RTMP; write {'rtmps:// for this port' if secure else 'the port of an RTMP server'}")
