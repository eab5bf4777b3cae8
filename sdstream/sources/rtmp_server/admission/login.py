"""User and password of a publisher, by Adobe's challenge (`authmod=adobe`), as OBS, librtmp and FFmpeg answer it.

A publisher connects three times: without anything, with the user's name, and with the answer to the challenge. The
password itself is never sent. The challenge holds its own proof, so the server remembers nothing.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping

ASK = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "
ASKED = "was asked for user and password"
FAILED = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=-"
VALID = 60
"""Seconds until a challenge is too old."""


_OTHER_WAY = "llnw"  # Limelight's way: HTTP's digest; FFmpeg and librtmp know both, and obey the server's question


def query_of(app: str) -> dict[str, str]:
    """Return the parameters after "?" as they are: Base64's "+" is no space here."""
    pairs = (pair.partition("=") for pair in app.partition("?")[2].split("&"))
    return {name.lstrip("?"): value for name, _, value in pairs if name}


class Login:
    """Asks for user and password, and checks the answer. Time is an argument (seconds)."""

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password
        self._secret = secrets.token_bytes(32)
        self._salt = secrets.token_hex(4)

    def question(self, query: Mapping[str, str], now: float) -> str:
        """Return the description of the refusal: asks for a user, or has the challenge for the user."""
        user = query.get("user")
        if query.get("authmod") != "adobe" or not user:
            return ASK
        opaque = self._opaque(int(now))
        return (
            "[ AccessManager.Reject ] : [ authmod=adobe ] : "
            f"?reason=needauth&user={user}&salt={self._salt}&challenge={opaque}&opaque={opaque}"
        )

    def asked(self, query: Mapping[str, str]) -> str:
        """Return for the log why a peer with `query` is asked; a wish for another way of logging in is named."""
        if query.get("authmod", "") == _OTHER_WAY:
            return f"the login authmod={_OTHER_WAY} is not taken; expected authmod=adobe, or no authmod at all"
        return ASKED

    def is_answered(self, query: Mapping[str, str], now: float) -> bool:
        """Tell whether `query` has the right answer to a challenge of the last minute."""
        opaque, response = query.get("opaque", ""), query.get("response", "")
        known = hmac.compare_digest(query.get("user", "").encode(), self._user.encode())
        fresh = any(
            hmac.compare_digest(opaque.encode(), self._opaque(second).encode())
            for second in _seconds(opaque)
            if 0 <= now - second <= VALID + 1
        )
        inner = _digest(self._user + self._salt + self._password)
        expected = _digest(inner + opaque + query.get("challenge", ""))
        return hmac.compare_digest(response.encode(), expected.encode()) and known and fresh

    def _opaque(self, second: int) -> str:
        proof = hmac.new(self._secret, str(second).encode(), hashlib.sha256).hexdigest()[:32]
        return f"{second:x}.{proof}"


def _seconds(opaque: str) -> list[int]:
    """Return the time in a challenge; nothing if there is none."""
    text = opaque.partition(".")[0]
    return [int(text, 16)] if 0 < len(text) <= 12 and all(digit in "0123456789abcdef" for digit in text) else []


def _digest(text: str) -> str:
    # MD5 is what the publishers compute; the challenge keeps the password from being sent
    return base64.b64encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode()
