"""The gate's two doors: the public port for publishers, and a loopback port where the source fetches publications."""

import errno
import ipaddress
import secrets
import socket
from dataclasses import dataclass, field

from sdstream.config.sources import AnySource, RtmpSourceSettings
from sdstream.errors import ConfigError, Forbidden, Unavailable

LOOPBACK = "127.0.0.1"
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class GateAddress:
    """The private side of the gate."""

    port: int
    """TCP port on 127.0.0.1."""
    token: bytes = field(repr=False)
    """32 random bytes, to be sent first."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Both doors, listening. The supervisor owns them, so the ports stay bound whatever process dies."""

    public: socket.socket
    private: socket.socket
    settings: RtmpSourceSettings
    address: GateAddress

    @property
    def arguments(self) -> tuple[socket.socket, socket.socket, RtmpSourceSettings, bytes]:
        """What `run_gate` takes after its context."""
        return self.public, self.private, self.settings, self.address.token

    def close(self) -> None:
        """Give the ports back; closing twice is harmless."""
        self.public.close()
        self.private.close()


def open_gate(settings: AnySource) -> Gate | None:
    """Bind both doors; None if `settings` do not ask for a gate.

    Raises ConfigError as `check_listen` does, Unavailable if the port is taken, Forbidden if it is a privileged one.
    """
    if not isinstance(settings, RtmpSourceSettings) or settings.listen is None:
        return None
    host, port = check_listen(settings)
    private = socket.create_server((LOOPBACK, 0), backlog=_BACKLOG)
    address = GateAddress(private.getsockname()[1], secrets.token_bytes(32))
    try:
        public = _bind(host, port)
    except OSError as error:
        private.close()
        if error.errno == errno.EACCES:
            raise Forbidden(f"source.listen: port {port} needs privileges; ports from 1024 on do not") from error
        taken = "another program has it" if error.errno == errno.EADDRINUSE else error.strerror
        raise Unavailable(f"source.listen: cannot listen on {settings.listen}: {taken}; choose another port") from error
    return Gate(public, private, settings, address)


def check_listen(settings: RtmpSourceSettings) -> tuple[str, int]:
    """Return host and port to listen on. Raises ConfigError for a port that is none, or an open door without a key."""
    host, _, digits = (settings.listen or "").rpartition(":")
    host, port = host.strip("[]"), int(digits)
    if port > 65535:
        raise ConfigError(f"source.listen: {port} is not a port; ports go up to 65535")
    if settings.key is None and not _is_loopback(host):
        raise ConfigError(
            f"source.listen: {settings.listen} can be reached from other machines, so it needs a key; "
            'set source.key: "${SDSTREAM_KEY}", or listen on 127.0.0.1'
        )
    return host, port


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bind(host: str, port: int) -> socket.socket:
    """Listen on `host`. A name must mean what we checked: localhost is taken by number."""
    host = LOOPBACK if host.lower() == "localhost" else host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)
