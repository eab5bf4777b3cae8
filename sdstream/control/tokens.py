"""Which role a request has: none, read or control, by the token of the request and the place of the server."""

import enum
import hmac
from collections.abc import Mapping

from sdstream.config.base import is_loopback
from sdstream.config.control import ControlSettings

WEBSOCKET_TOKEN = "sdstream.token."  # noqa: S105 - the name of a protocol, not a token
"""Prefix of a WebSocket subprotocol with the token: the only header that scripts of a page may set."""


class Role(enum.IntEnum):
    """What a client may do; a higher role includes the lower."""

    NONE = 0
    READ = 1
    CONTROL = 2


class Tokens:
    """Compares tokens in constant time."""

    def __init__(self, settings: ControlSettings, token: str) -> None:
        self._control = token.encode()
        self._read = settings.read_token.get_secret_value().encode() if settings.read_token else None
        self._open = is_loopback(settings.listen) and self._read is None

    def role(self, headers: Mapping[str, str]) -> Role:
        """Return the role of a request with `headers` (names in lower case). A wrong token has no role at all."""
        presented = _presented(headers)
        if presented is None:
            return Role.READ if self._open else Role.NONE
        if hmac.compare_digest(presented, self._control):
            return Role.CONTROL
        if self._read is not None and hmac.compare_digest(presented, self._read):
            return Role.READ
        return Role.NONE


def _presented(headers: Mapping[str, str]) -> bytes | None:
    """Return the token of `Authorization: Bearer`, or of a WebSocket subprotocol; None without either header."""
    authorization = headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        return token.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
    protocols = (part.strip() for part in headers.get("sec-websocket-protocol", "").split(","))
    return next((part[len(WEBSOCKET_TOKEN) :].encode() for part in protocols if part.startswith(WEBSOCKET_TOKEN)), None)
