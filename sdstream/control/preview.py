"""Pictures and status of the preview for the clients of the control server: fetched once for all who watch.

The preview makes pictures in a sink's process, by the sink's clock, and only while somebody fetches. A client of the
control server never waits for another client: each gets the newest picture, and a slow client gets fewer.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, get_args

from sdstream.ipc.live_text import LiveText

View = Literal["show", "camera", "pair"]
"""The sent picture, the camera picture of the same moment, or both side by side."""
VIEWS: tuple[View, ...] = get_args(View)
WITHIN = 3.0
"""Seconds for the preview to answer, and from a picture to the next."""
LARGEST = 16 << 20
"""Bytes of a picture or an answer at most."""


_ENDINGS = (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError, ValueError, IndexError)
"""Every way in which a connection ends; EOFError is also IncompleteReadError."""


class NoPreview(Exception):
    """The run has no preview, or the preview does not answer; the message is for the client."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of the preview."""

    status: HTTPStatus
    kind: str
    body: bytes


class Preview:
    """Fetches from the preview of a run; for a single event loop."""

    def __init__(self, address: LiveText) -> None:
        self._address = address
        self._films: dict[View, _Film] = {}

    def require(self) -> dict[str, Any]:
        """Return where the preview is to be had. Raises NoPreview for a run without a preview."""
        text = self._address.get()[1]
        if not text:
            raise NoPreview("no preview is open; the pictures come from a sink `{kind: preview}`")
        return dict(json.loads(text))

    async def fetch(self, name: str) -> Fetched:
        """Return the preview's answer to `name`, such as `status` or `show.jpg`. Raises NoPreview."""
        try:
            async with asyncio.timeout(WITHIN), self._opened(name) as reader:
                status, kind, length = await _head(reader)
                return Fetched(status, kind, await reader.readexactly(min(length, LARGEST)))
        except _ENDINGS as error:
            raise NoPreview("the preview does not answer; its process may be starting") from error

    async def watch(self, view: View) -> AsyncGenerator[bytes, None]:
        """Return the newest picture again and again, as JPEG, until the preview ends."""
        film = self._films.get(view)
        if film is None or film.over:
            film = self._films[view] = _Film(self._film(view))
        async with contextlib.aclosing(film.watch()) as pictures:
            async for picture in pictures:
                yield picture

    async def _film(self, view: View) -> AsyncIterator[bytes]:
        async with self._opened(f"{view}.mjpeg") as reader:
            async with asyncio.timeout(WITHIN):
                await _head(reader)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                yield await reader.readexactly(min(length, LARGEST))
                await reader.readexactly(2)

    @contextlib.asynccontextmanager
    async def _opened(self, name: str) -> AsyncIterator[asyncio.StreamReader]:
        address = self.require()
        async with asyncio.timeout(WITHIN):
            reader, writer = await asyncio.open_connection(address["host"], address["port"])
        try:
            writer.write(f"GET {address['root']}{name} HTTP/1.0\r\n\r\n".encode())
            yield reader
        finally:
            writer.transport.abort()  # nothing is left to send


class _Film:
    """A view for all who watch: runs while somebody watches, and keeps the newest picture alone."""

    def __init__(self, pictures: AsyncIterator[bytes]) -> None:
        self._pictures = pictures
        self._newest = b""
        self._number = 0
        self._changed = asyncio.Condition()
        self._viewers = 0
        self._task: asyncio.Task[None] | None = None
        self.over = False
        """Whether the preview has ended, or everybody has left."""

    async def watch(self) -> AsyncGenerator[bytes, None]:
        """Return each newest picture, from the next picture on, until the preview ends."""
        self._viewers += 1
        self._task = self._task or asyncio.create_task(self._run())
        seen = 0
        try:
            while True:
                async with self._changed:
                    while self._number == seen and not self.over:
                        await self._changed.wait()
                if self.over:
                    return
                seen = self._number
                yield self._newest
        finally:
            self._viewers -= 1
            if not self._viewers:
                self.over = True
                self._task.cancel()

    async def _run(self) -> None:
        try:
            with contextlib.suppress(NoPreview, *_ENDINGS):
                async for picture in self._pictures:
                    self._newest, self._number = picture, self._number + 1
                    async with self._changed:
                        self._changed.notify_all()
        finally:
            self.over = True
            async with self._changed:
                self._changed.notify_all()


async def _head(reader: asyncio.StreamReader) -> tuple[HTTPStatus, str, int]:
    """Read the head of an answer; return status, type and length of the body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    kind = headers.get("content-type", "application/octet-stream")
    return HTTPStatus(int(first.split()[1])), kind, int(headers.get("content-length", "0"))
