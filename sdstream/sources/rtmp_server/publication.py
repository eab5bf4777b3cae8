"""A publication as FLV for a decoder: one track a kind, from a key frame on; the header names no missing track."""

from sdstream.sources.rtmp_server import flv
from sdstream.sources.rtmp_server.chunks import AUDIO, DATA, VIDEO
from sdstream.sources.rtmp_server.events import Media
from sdstream.sources.rtmp_server.tracks import CodecGuard, single_track

GRACE = 0.5
"""Seconds from the first key frame until the file starts, even if an announced track is missing."""
NO_PICTURE = 3.0
"""Seconds of sound alone until the file starts with sound only; the source then reports the missing picture."""
NO_KEY_FRAME = 2.0
"""Seconds of pictures without any key frame until the file starts at the next picture."""
_MOST_HELD = 8 * 1024 * 1024
_MOST_MESSAGES = 8192  # a minute of pictures and sound
_LONGEST_SOUND = 256 * 1024  # bytes; a second of PCM has 192 kB
_MOST_HEADER = 64 * 1024  # bytes; the configuration of a decoder takes some hundred


class Publication:
    """Keeps the messages for the start of a reader, and returns the bytes to send. Time is `time.monotonic()`."""

    def __init__(self, audio_track: int = 0, video_track: int = 0) -> None:
        """The tracks are ids of Enhanced RTMP; 0 is the default track."""
        self._tracks = {AUDIO: audio_track, VIDEO: video_track}
        self._headers: dict[int, Media] = {}
        self._announced: int | None = None
        self._seen = 0
        self._codec = ""
        self._codecs = CodecGuard()
        self._keyless: float | None = None
        self._promised = 0
        self._started = False
        self._skipping = False
        self._held: list[Media] = []
        self._held_bytes = 0
        self._began: float | None = None
        self._keyed: float | None = None
        self.old: int | None = None
        """Bytes at the start of the file that had come before the last message fed; None if no file began with it."""
        self.skipped = 0
        """Messages left out because the reader was too slow."""
        self.other_tracks = 0
        """Messages left out because the messages belong to other tracks."""

    def restart(self) -> None:
        """Start the file again for the next reader, with the messages since the last key frame."""
        self._started = self._skipping = False
        self._began = self._keyed = None

    def why(self) -> str:
        """Return why no picture of the publication can be shown yet; empty if nothing is known to be missing."""
        if not self._seen & flv.HAS_VIDEO:
            if self.other_tracks:
                return f"nothing comes in picture track {self._tracks[VIDEO]}, and something in other tracks"
            return "sound comes, and no picture" if self._seen else "neither picture nor sound has come yet"
        if not flv.is_known_codec(self._codec):
            return f"the picture's codec is {self._codec}; expected H.264, HEVC, AV1 or VP9"
        if VIDEO not in self._headers and flv.needs_configuration(self._codec):
            return f"the configuration of the {self._codec} pictures (sequence header) has not come yet"
        return "" if self._started or self._held else "no key frame has come yet"

    def outgrown(self) -> bool:
        """Tell whether a track has come that the file's header lacks: the reader has to start again."""
        return self._started and bool(self._seen & ~self._promised)

    def feed(self, media: Media, now: float, *, wanted: bool, room: bool = True) -> bytes:
        """Take a message in; return the bytes to send.

        `wanted`: whether there is a reader. `room`: whether the reader keeps up; without room, everything is left out
        until the next key frame with room.
        """
        self.old = None
        if media.kind == DATA:
            tracks = flv.announced_tracks(media)
            self._announced = self._announced if tracks is None else tracks
            return b""  # FFmpeg would make a data track of unknown messages
        if not flv.is_picture_or_sound(media) or (media.kind == AUDIO and len(media.payload) > _LONGEST_SOUND):
            return b""
        track = single_track(media, self._tracks[media.kind])
        if track is None:
            self.other_tracks += 1
            return b""
        if not self._codecs.accepts(track):
            self.other_tracks += 1
            return b""
        self._skipping = self._started and (self._skipping or not room)
        return self._feed_track(track, now, wanted, room)

    def _feed_track(self, media: Media, now: float, wanted: bool, room: bool) -> bytes:
        self._note(media)
        if media.kind == VIDEO and not self._codec:
            self._codec = flv.codec_of(media)
        if flv.is_sequence_header(media):
            if len(media.payload) <= _MOST_HEADER:
                self._headers[media.kind] = media
            return flv.tag(media) if self._started and not self._skipping else b""
        self._remember(media, now)
        if not self._started:
            return self._begin(media, now, wanted)
        if not self._skipping:
            return flv.tag(media)
        self._skipping = not room or not self._is_entrance(media)
        if self._skipping:
            self.skipped += 1
            return b""
        return b"".join(flv.tag(part) for part in (*self._headers.values(), media))

    def _is_entrance(self, media: Media) -> bool:
        """Tell whether a reader can begin at `media`: at a key frame, or anywhere in a file of sound only."""
        return flv.is_key_frame(media) or not self._promised & flv.HAS_VIDEO

    def _note(self, media: Media) -> None:
        """Note the tracks. The file has no place for a new codec, nor for late sound that is not AAC."""
        flag = flv.HAS_VIDEO if media.kind == VIDEO else flv.HAS_AUDIO
        if self._codecs.changed(media) or (flag & ~self._seen and media.kind == AUDIO and not flv.is_aac(media)):
            self._promised &= ~flag
            self._codec = "" if media.kind == VIDEO else self._codec
            header = self._codecs.headers.get(media.kind)
            self._headers = {kind: part for kind, part in self._headers.items() if kind != media.kind}
            self._headers |= {media.kind: header} if header else {}
        self._seen |= flag

    def _remember(self, media: Media, now: float) -> None:
        """Hold the messages since the last key frame, unless there are too many."""
        if flv.is_key_frame(media) or self._is_keyless(media, now):
            self._clear_held()
        elif not self._held:
            return
        self._held.append(media)
        self._held_bytes += len(media.payload)
        if self._held_bytes > _MOST_HELD or len(self._held) > _MOST_MESSAGES:
            self._clear_held()

    def _is_keyless(self, media: Media, now: float) -> bool:
        """Tell whether to begin at any picture, because no key frame comes: the decoder shows what it can."""
        if media.kind != VIDEO or self._held:
            self._keyless = None
            return False
        self._keyless = now if self._keyless is None else self._keyless
        return now - self._keyless > NO_KEY_FRAME

    def _begin(self, media: Media, now: float, wanted: bool) -> bytes:
        """Return the start of the file, once a reader is there, a key frame has come, and the tracks are known."""
        self._began = now if self._began is None else self._began
        if not wanted:
            return b""
        if not self._seen & flv.HAS_VIDEO:
            return self._start([media]) if now - self._began > NO_PICTURE else b""
        if not self._held:
            return b""
        self._keyed = now if self._keyed is None else self._keyed
        return self._start(self._held) if self._tracks_known(now) else b""

    def _tracks_known(self, now: float) -> bool:
        both = flv.HAS_AUDIO | flv.HAS_VIDEO
        expected = both if self._announced is None else self._announced
        waited = self._keyed is not None and now - self._keyed > GRACE
        return waited or not expected & ~self._seen

    def _start(self, held: list[Media]) -> bytes:
        self._promised = self._seen | (flv.HAS_AUDIO if self._seen & flv.HAS_VIDEO else 0)
        self._started = True
        first = held[0].timestamp
        headers = [Media(part.kind, first, part.payload) for part in self._headers.values()]
        late = b"" if self._seen & flv.HAS_AUDIO else flv.placeholder(first)
        old = flv.header(self._seen) + late + b"".join(flv.tag(part) for part in (*headers, *held[:-1]))
        self.old = len(old)
        return old + flv.tag(held[-1])

    def _clear_held(self) -> None:
        self._held, self._held_bytes = [], 0
