"""Takes one open container apart: pictures come out one by one, sound goes into the ring, bad packets are counted.

Every packet is decoded in a `try` of its own: one that is damaged costs one picture and not the connection.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
from av.audio.frame import AudioFrame
from av.error import ExitError, FFmpegError, InvalidDataError
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame

from sdstream.errors import Lost
from sdstream.frame import Samples
from sdstream.sources.context import SourceContext
from sdstream.sources.decoding.reader import Reader
from sdstream.sources.decoding.sound import Joint, Resampler
from sdstream.sources.decoding.timeline import BACK, Presentation, Timeline

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_MAX_PIXELS = 8192 * 8192
_BAD_READS = 200
_CORRUPT_FOR = 0.5
_EARLY_SOUND = 5.0
_EARLY_BLOCKS = 512


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture that is not converted yet."""

    frame: VideoFrame
    pts: float
    """On the monotonic clock (seconds)."""
    received: float
    """Monotonic time when its packet came (seconds)."""


class Decoder:
    """The picture and the sound of one open container, whose times go on over a loop's seams."""

    def __init__(self, reader: Reader, context: SourceContext, lead: float = 0.0) -> None:
        """`lead` is how far ahead of its time everything is decoded (seconds). Raises Lost without a video track."""
        self._reader = reader
        self._context = context
        self._timeline = Timeline()
        self._lead = lead
        self.video = _video_track(reader.container)
        self.video.thread_type = "SLICE"  # frame threads would hold back one picture each
        self.video.codec_context.options = {"max_pixels": str(_MAX_PIXELS)}
        self.sound = _sound_track(reader.container) if context.ring else None
        reader.start([self.video] if self.sound is None else [self.video, self.sound])
        self._presentation = Presentation()
        self._resampler = Resampler()
        self._joint = Joint()
        self._step = 1 / float(self.video.average_rate or self.video.guessed_rate or 25)
        self._early: deque[tuple[float, Samples]] = deque(maxlen=_EARLY_BLOCKS)
        self._bad_reads = 0
        self._base = 0.0
        self._last = -self._step
        self._sound_last = 0.0
        self._clean_at = 0.0

    @property
    def sound_end(self) -> float | None:
        """Monotonic time up to which sound has come; None if there is no sound track."""
        return self._joint.end if self.sound is not None else None

    @property
    def has_more(self) -> bool:
        """Whether `pump` would not have to wait."""
        return self._reader.has_more

    def pump(self, patience: float) -> list[Picture] | None:
        """Decode one packet. None: nothing came in time. Raises EOFError at the end, Lost when reading fails."""
        try:
            packet = self._reader.take(patience)
        except EOFError:
            raise
        except FFmpegError as error:
            self._forgive(error)
            return []
        if packet is None:
            return None
        self._bad_reads = 0
        received = time.monotonic()
        if packet.stream is self.sound:
            self._hear(packet, received)
            return []
        return self._see(packet, received)

    def rewind(self) -> None:
        """Start again at the beginning; times go on from where they are. Raises Lost if the input cannot seek."""
        end = max(self._last + self._step, self._sound_last)
        start = (self._reader.container.start_time or 0) / av.time_base
        self._base = end - start
        self._last, self._sound_last = end - self._step, end
        try:
            self._reader.rewind()
        except FFmpegError as error:
            raise Lost(f"cannot go back to the start of the input: {error.strerror}") from error

    def _forgive(self, error: FFmpegError) -> None:
        """Read on after damage; give up when it is all damage, or when the connection is gone."""
        self._bad_reads += 1
        if not isinstance(error, InvalidDataError) or self._bad_reads > _BAD_READS:
            silent = isinstance(error, ExitError)
            raise Lost("nothing came for too long" if silent else f"reading failed: {error.strerror}") from error
        self._context.counters.add("corrupt_packets")

    def _see(self, packet: "Packet[Any]", received: float) -> list[Picture]:
        try:
            frames = packet.decode()
        except FFmpegError:
            self._context.counters.add("corrupt_packets")
            return []
        return [self._picture(frame, received) for frame in frames if self._clean(frame, received)]

    def _clean(self, frame: VideoFrame, now: float) -> bool:
        """Leave damaged pictures out, but not for longer than half a second: then they are all there is."""
        if not frame.is_corrupt:
            self._clean_at = now
            return True
        self._context.counters.add("corrupt_pictures")
        return now - self._clean_at > _CORRUPT_FOR

    def _picture(self, frame: VideoFrame, received: float) -> Picture:
        dts = None if frame.dts is None or frame.time_base is None else float(frame.dts * frame.time_base)
        chosen = self._presentation.choose(frame.time, dts)
        pts = self._last + self._step if chosen is None else self._base + chosen
        if self._last - BACK < pts < self._last:
            pts = self._last
        self._last = pts
        first = not self._timeline.anchored
        placed = self._timeline.place("picture", pts, received + self._lead)
        if first:
            self._let_out_early_sound(received)
        return Picture(frame, placed, received)

    def _hear(self, packet: "Packet[Any]", received: float) -> None:
        try:
            frames = packet.decode()
        except FFmpegError:
            self._context.counters.add("corrupt_sounds")
            return
        for frame in frames:
            if not isinstance(frame, AudioFrame):
                continue
            pts = self._sound_last if frame.time is None else self._base + frame.time
            self._sound_last = pts + frame.samples / (frame.sample_rate or 1)
            try:
                samples = self._resampler.convert(frame)
            except (FFmpegError, ValueError):
                self._context.counters.add("corrupt_sounds")
                continue
            if self._timeline.anchored:
                self._write(pts, samples, received)
            else:
                self._early.append((pts, samples))

    def _let_out_early_sound(self, now: float) -> None:
        """Sound that came before the first picture could not be placed; now it can."""
        for pts, samples in self._early:
            if self._last - pts < _EARLY_SOUND:
                self._write(pts, samples, now)
        self._early.clear()

    def _write(self, pts: float, samples: Samples, now: float) -> None:
        begin, samples = self._joint.fit(self._timeline.place("sound", pts, now + self._lead), samples)
        if self._context.ring is not None and len(samples):
            self._context.ring.write(begin, samples)
            self._context.counters.add("sound_blocks")


def _video_track(container: "InputContainer") -> "VideoStream":
    for track in container.streams.video:
        attached = bool(track.disposition & Disposition.attached_pic)
        if track.codec_context is not None and not attached:
            return track
    names = [f"{track.type} ({_codec(track)})" for track in container.streams]
    raise Lost(f"the input has no video track; it has: {', '.join(names) or 'nothing'}")


def _codec(track: Stream) -> str:
    return "unknown" if track.codec_context is None else track.codec_context.name


def _sound_track(container: "InputContainer") -> "AudioStream | None":
    return next((track for track in container.streams.audio if track.codec_context is not None), None)
