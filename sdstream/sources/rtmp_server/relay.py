"""Hands the publication to the source, at the private port. A source that reads too slowly loses whole groups."""

import asyncio
import hmac
import socket

from sdstream.log import get_logger
from sdstream.sources.rtmp_server.address import OLD
from sdstream.sources.rtmp_server.events import Media
from sdstream.sources.rtmp_server.publication import Publication

_READ_BYTES = 64 * 1024
_MOST_BEHIND = 2 * 1024 * 1024  # bytes that the source has not read: 2.7 s at 6 Mbit/s
_RATE, _BURST = 2000.0, 20_000.0  # messages; 120 pictures and 400 sounds a second are the most that is of use
_SOCKET_BUFFER = 256 * 1024
_TOKEN_DEADLINE = 2.0
_MOST_CONNECTIONS = 8


class Allowance:
    """The messages for the source: FFmpeg keeps a message of a byte in 300 bytes while FFmpeg looks for the tracks."""

    def __init__(self, rate: float = _RATE, burst: float = _BURST) -> None:
        """`rate` is in messages a second."""
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, 0.0

    def take(self, now: float) -> bool:
        """Tell whether a message may go on at `now` (monotonic seconds), and count the message."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Relay:
    """The connection to the source, and the publication of the present publisher."""

    def __init__(self, token: bytes, audio_track: int, video_track: int) -> None:
        """`token` opens the private port; the tracks are ids of Enhanced RTMP."""
        self._token = token
        self._tracks = audio_track, video_track
        self._publication: Publication | None = None
        self._source: asyncio.StreamWriter | None = None
        self._allowance = Allowance()
        self._connections: list[asyncio.StreamWriter] = []

    def begin(self) -> None:
        """Take a new publisher's publication."""
        if self._publication is not None:
            self.end()
        self._publication = Publication(*self._tracks)

    def end(self) -> int:
        """End the publication; return the number of messages left out because the source was too slow."""
        skipped = self._publication.skipped if self._publication else 0
        self._publication = None
        self._leave_source()
        return skipped

    def why(self) -> str:
        """Return why no picture of the publisher can be shown yet; empty if nothing is known to be missing."""
        return self._publication.why() if self._publication else ""

    def forward(self, media: Media, now: float) -> None:
        """Take a message of the publisher."""
        publication, source = self._publication, self._source
        if publication is None:
            return
        if source is not None and source.is_closing():
            source = None
        behind = source.transport.get_write_buffer_size() if source else 0
        known = publication.other_tracks
        room = behind <= _MOST_BEHIND and self._allowance.take(now)
        data = publication.feed(media, now, wanted=source is not None, room=room)
        if publication.other_tracks and not known:
            get_logger().info("other tracks of the publisher are left out")
        if source is None:
            return
        if publication.outgrown():
            self._leave_source()  # the source connects again at once, and gets a header with all tracks
        elif data:
            source.write(data if publication.old is None else OLD.pack(publication.old) + data)

    async def serve_source(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Check the token of the source, and send the publication; a new connection replaces the old connection."""
        self._connections.append(writer)
        if len(self._connections) > _MOST_CONNECTIONS:
            self._connections[0].transport.abort()
        try:
            async with asyncio.timeout(_TOKEN_DEADLINE):
                token = await reader.readexactly(len(self._token))
            if not hmac.compare_digest(token, self._token):
                return
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
            self._leave_source()
            self._source = writer
            self._connections.remove(writer)
            while await reader.read(_READ_BYTES):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # a stranger on loopback, or the source died: the next process of the source will connect
        finally:
            if writer in self._connections:
                self._connections.remove(writer)
            if self._source is writer:
                self._leave_source()
            writer.transport.abort()

    def abort(self) -> None:
        """End all connections at once."""
        for writer in self._connections + ([self._source] if self._source else []):
            writer.transport.abort()

    def _leave_source(self) -> None:
        """Close the connection to the source, after sending the bytes written so far."""
        if self._source is not None:
            self._source.close()
            self._source = None
        if self._publication is not None:
            self._publication.restart()
