"""Lets a request in or refuses the request, before any handler: host, origin, role, rate, type and size of the body.

Browsers send requests for any web site: a foreign site may post to an address on this machine, or point a name of its
own at the address (DNS rebinding). Host and Origin are checked for that reason, also on loopback.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sdstream.config.control import ControlSettings
from sdstream.control.rate_limit import RateLimit
from sdstream.control.tokens import Role, Tokens

LARGEST_BODY = 64 * 1024
"""Bytes of a request's body at most."""
BODY_WITHIN = 5.0
"""Seconds from the first byte of a request to the last byte of the body."""
OPEN_PATHS = ("/healthz", "/readyz", "/", "/screen")
"""Answered without a token: a supervisor of containers has none, and a page is needed to type a token."""
OPEN_FOLDER = "/page/"
"""The files of the pages, without a word about the run."""
_HOST = r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]*)(?::\d{1,5})?"
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True)
class Refused(Exception):
    """A request that no handler sees."""

    status: HTTPStatus
    reason: str
    wait: float = 0.0
    """Seconds after which the client may try again."""


class Access:
    """The outermost layer of the server (an ASGI middleware)."""

    def __init__(self, app: ASGIApp, settings: ControlSettings, token: str) -> None:
        self._app, self._settings = app, settings
        self._tokens = Tokens(settings, token)
        self._rate = RateLimit(settings.rate)
        self._hosts = {host.lower() for host in settings.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass the request on with the role in `scope["state"]`."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            self._check_site(headers, str(scope.get("scheme", "http")))
            self._check_role(scope, headers)
            self._check_rate(scope)
            body = await _body(receive, headers) if scope["type"] == "http" and scope["method"] not in _SAFE else None
        except Refused as refused:
            await _refuse(refused, scope, receive, send)
            return
        await self._app(scope, receive if body is None else _Replayed(body, receive), _with_headers(send))

    def _check_site(self, headers: dict[str, str], scheme: str) -> None:
        """Refuse a foreign host name, and a request of a foreign web site."""
        host = headers.get("host", "")
        match = re.fullmatch(_HOST, host)
        name = match[1].lower() if match else host
        if name not in {"", "localhost", *self._hosts} and not _is_ip(name):
            reason = f"host {name[:80]!r} is not among `control.hosts`; open the server by IP address, or add the name"
            raise Refused(HTTPStatus.FORBIDDEN, reason)
        origin = headers.get("origin")
        here = {f"{own}://{host}" for own in ("http", "https", scheme.replace("ws", "http"))}
        if origin is not None and origin not in here and origin not in self._settings.origins:
            raise Refused(HTTPStatus.FORBIDDEN, f"web site {origin[:80]!r} is not among `control.origins`")

    def _check_role(self, scope: Scope, headers: dict[str, str]) -> None:
        role = self._tokens.role(headers)
        needed = Role.READ if scope["type"] == "websocket" or scope["method"] in _SAFE else Role.CONTROL
        if (scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_FOLDER)) and needed is Role.READ:
            needed = Role.NONE
        if role < needed:
            status = (
                HTTPStatus.FORBIDDEN if role is Role.READ and "authorization" in headers else HTTPStatus.UNAUTHORIZED
            )
            what = "changing" if needed is Role.CONTROL else "looking"
            raise Refused(status, f"{what} needs the token: send `Authorization: Bearer TOKEN`")
        scope.setdefault("state", {})["role"] = role

    def _check_rate(self, scope: Scope) -> None:
        client = scope.get("client")
        wait = self._rate.wait(client[0] if client else "", time.monotonic())
        if wait:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, f"more than {self._settings.rate:g} requests a second", wait)


def _is_ip(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


async def _body(receive: Receive, headers: dict[str, str]) -> bytes:
    """Read the whole body of a change, within bounds of size and time. Raises Refused."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if has_body and kind != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON, with `Content-Type: application/json`")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > LARGEST_BODY:
                    raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has {LARGEST_BODY} bytes at most")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, f"the body must arrive within {BODY_WITHIN:g} s") from None


class _Replayed:
    """Hands a body that was read already to the handler, then waits for the end of the connection."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name for name, _ in message["headers"]}
            extra = [header for header in _HEADERS if header[0] not in present]
            message = {**message, "headers": [*message["headers"], *extra]}
        await send(message)

    return send_with_headers


async def _refuse(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": refused.reason[:100]})
        return
    headers = {"Retry-After": str(max(1, round(refused.wait)))} if refused.wait else {}
    if refused.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    headers["Connection"] = "close"  # the rest of a refused body stays unread
    response = JSONResponse({"error": refused.reason}, refused.status, headers)
    await response(scope, receive, _with_headers(send))
