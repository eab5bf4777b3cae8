"""One publication as a decoder likes it: FLV that starts at a key frame and promises no missing track."""

from sdstream.sources.rtmp_server import flv
from sdstream.sources.rtmp_server.chunks import DATA, VIDEO
from sdstream.sources.rtmp_server.protocol import Media

GRACE = 0.5
"""Seconds from the first key frame in which an announced track may still come; then the file starts without it."""
NO_PICTURE = 3.0
"""Seconds of sound alone after which the file starts with sound only, so that its reader can say what is wrong."""
_MOST_HELD = 8 * 1024 * 1024


class Publication:
    """Remembers what a reader needs to begin with, and says what to send to it. Time is `time.monotonic()`."""

    def __init__(self) -> None:
        self._headers: dict[int, Media] = {}
        self._announced: int | None = None
        self._seen = 0
        self._promised = 0
        self._started = False
        self._skipping = False
        self._held: list[Media] = []
        self._held_bytes = 0
        self._began: float | None = None
        self._keyed: float | None = None
        self.skipped = 0
        """Messages left out because the reader was too slow."""

    def restart(self) -> None:
        """The reader has gone, or another one comes: it begins at a key frame."""
        if self._started:
            self._hold_nothing()
        self._started = self._skipping = False
        self._began = None

    def skip_to_key_frame(self) -> None:
        """The reader is behind: leave everything out until the next key frame."""
        self._skipping = True

    def outgrown(self) -> bool:
        """Tell whether a track has come that the reader was not promised: it has to begin anew."""
        return self._started and bool(self._seen & ~self._promised)

    def feed(self, media: Media, now: float, *, wanted: bool) -> bytes:
        """Take a message in; return what to send, if it is `wanted`: if there is a reader.

        Raises ProtocolError for metadata that cannot be read.
        """
        if media.kind == DATA:
            tracks = flv.announced_tracks(media)
            self._announced = self._announced if tracks is None else tracks
            return b""  # FFmpeg makes a track of its own of any data that it does not know
        if not flv.is_picture_or_sound(media):
            return b""
        self._seen |= flv.HAS_VIDEO if media.kind == VIDEO else flv.HAS_AUDIO
        if flv.is_sequence_header(media):
            self._headers[media.kind] = media
            return flv.tag(media) if self._started else b""
        if not self._started:
            return self._prepare(media, now, wanted)
        if self._skipping:
            self._skipping = not flv.is_key_frame(media)
            if self._skipping:
                self.skipped += 1
                return b""
            return b"".join(flv.tag(part) for part in (*self._headers.values(), media))
        return flv.tag(media)

    def _prepare(self, media: Media, now: float, wanted: bool) -> bytes:
        """Hold back what follows a key frame until somebody wants it and it is clear which tracks there are."""
        self._began = now if self._began is None else self._began
        if not self._seen & flv.HAS_VIDEO:
            return self._start([media]) if wanted and now - self._began > NO_PICTURE else b""
        if flv.is_key_frame(media):
            self._keyed = now if self._keyed is None else self._keyed
            if not wanted:
                self._hold_nothing()
        elif not self._held:
            return b""
        self._held.append(media)
        self._held_bytes += len(media.payload)
        if wanted and self._settled(now):
            return self._start(self._held)
        if self._held_bytes > _MOST_HELD:
            self._hold_nothing()
        return b""

    def _settled(self, now: float) -> bool:
        both = flv.HAS_AUDIO | flv.HAS_VIDEO
        expected = both if self._announced is None else self._announced
        waited = (self._keyed is not None and now - self._keyed > GRACE) or self._held_bytes > _MOST_HELD
        return waited or not expected & ~self._seen

    def _start(self, held: list[Media]) -> bytes:
        self._promised = self._seen
        self._started = True
        first = held[0].timestamp
        headers = [Media(part.kind, first, part.payload) for part in self._headers.values()]
        data = flv.header(self._promised) + b"".join(flv.tag(part) for part in (*headers, *held))
        self._hold_nothing()
        return data

    def _hold_nothing(self) -> None:
        self._held, self._held_bytes = [], 0
