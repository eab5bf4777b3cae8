"""Decodes an open container: pictures are returned, sound goes into the audio ring, bad packets are counted.

Every packet is decoded in a separate `try`: a damaged packet costs a picture and not the connection.
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
from sdstream.frame import SAMPLE_RATE, Samples
from sdstream.sources.context import SourceContext
from sdstream.sources.decoding.damage import DamageFilter
from sdstream.sources.decoding.deinterlace import Deinterlacer
from sdstream.sources.decoding.reader import Reader
from sdstream.sources.decoding.sound import Joiner, Resampler
from sdstream.sources.decoding.sound_tracks import SoundTracks
from sdstream.sources.decoding.timeline import BACK, Presentation, Timeline

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_MAX_PIXELS = 8192 * 8192
_BAD_READS = 200  # failed reads in a row before the input counts as lost
_EARLY_SOUND = 5.0  # seconds of sound kept from before the first picture
_EARLY_BLOCKS = 512


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A decoded picture, not yet converted."""

    frame: VideoFrame
    pts: float
    """On the monotonic clock (seconds)."""
    received: float
    """Monotonic time of the packet's arrival (seconds)."""
    time: float
    """On the source's own timeline (seconds)."""


class Decoder:
    """Picture and sound of an open container; times go on when a loop starts again."""

    def __init__(
        self, reader: Reader, context: SourceContext, lead: float = 0.0, deinterlacer: Deinterlacer | None = None
    ) -> None:
        """`lead` is the time from decoding to showing (seconds). Raises Lost without a video track."""
        self._deinterlacer = deinterlacer or Deinterlacer("off", context.canvas.fps)
        self._reader = reader
        self._context = context
        self._timeline = Timeline()
        self._lead = lead
        self.video = _video_track(reader.container)
        self.video.thread_type = "SLICE"  # each frame thread would hold back a picture
        self.video.codec_context.options = {"max_pixels": str(_MAX_PIXELS), "flags": "+output_corrupt"}
        self._sounds = SoundTracks(reader.container, context.sound_track) if context.ring else None
        reader.start([self.video, *(self._sounds.tracks if self._sounds else ())])
        self._presentation = Presentation()
        self._resampler = Resampler()
        self._joiner = Joiner()
        self._step = 1 / float(self.video.average_rate or self.video.guessed_rate or 25)
        self._early: deque[tuple[float, Samples]] = deque(maxlen=_EARLY_BLOCKS)
        self._bad_reads = 0
        self._base = 0.0
        self._last = -self._step
        self._sound_last = 0.0
        self._damage = DamageFilter()

    @property
    def sound(self) -> "AudioStream | None":
        """The audio track that is heard; None without sound."""
        return self._sounds.chosen() if self._sounds else None

    @property
    def sound_end(self) -> float | None:
        """End of the sound so far (monotonic seconds); None without a sound track."""
        return self._joiner.end if self.sound is not None else None

    @property
    def has_more(self) -> bool:
        """Whether `receive` would not have to wait."""
        return self._reader.has_more

    @property
    def arrival(self) -> tuple[float | None, float]:
        """When the packet received last arrived (monotonic seconds; None: unknown), and the seconds so far in which
        nobody read.
        """
        return self._reader.arrived, self._reader.absent

    def pump(self, patience: float) -> list[DecodedPicture]:
        """Decode a packet, after a wait of up to `patience` seconds for the packet; raises as `receive`."""
        packet = self.receive(patience)
        return self.decode(packet, time.monotonic()) if packet is not None else []

    def receive(self, patience: float) -> "Packet[Any] | None":
        """Return the next packet; None if no packet came within `patience` seconds, after a failed
        read, and for a packet of an audio track that is not heard.

        Raises EOFError at the end, Lost when reading fails for good.
        """
        try:
            packet = self._reader.take(patience)
        except EOFError:
            raise
        except FFmpegError as error:
            self._count_bad_read(error)
            return None
        if packet is not None:
            self._bad_reads = 0
        heard = packet is None or packet.stream is self.video or packet.stream is self.sound
        return packet if heard else None

    def decode(self, packet: "Packet[Any]", received: float) -> list[DecodedPicture]:
        """Return the pictures of a packet that arrived at `received`; sound goes into the ring, and gives none."""
        if packet.stream is self.video:
            return self._on_video(packet, received)
        if packet.stream is self.sound:
            self._on_audio(packet, received)
        return []

    def rewind(self) -> None:
        """Start again at the beginning; times go on from the present. Raises Lost if the input cannot seek."""
        end = max(self._last + self._step, self._sound_last)
        start = (self._reader.container.start_time or 0) / av.time_base
        self._base = end - start
        self._last, self._sound_last = end - self._step, end
        self._deinterlacer.drain()
        try:
            self._reader.rewind()
        except FFmpegError as error:
            raise Lost(f"cannot go back to the start of the input for `loop`: {error.strerror}") from error

    def _count_bad_read(self, error: FFmpegError) -> None:
        """Read on after damage. Raises Lost after 200 failed reads in a row, or without a connection."""
        self._bad_reads += 1
        if not isinstance(error, InvalidDataError) or self._bad_reads > _BAD_READS:
            silent = isinstance(error, ExitError)
            raise Lost("no data came within `read_timeout`" if silent else f"cannot read: {error.strerror}") from error
        self._context.counters.add("corrupt_packets")

    def _on_video(self, packet: "Packet[Any]", received: float) -> list[DecodedPicture]:
        try:
            frames = packet.decode()
        except FFmpegError:
            self._context.counters.add("corrupt_packets")
            return []
        shown = (frame for frame in frames if self._is_shown(frame, received))
        whole = [picture for frame in shown for picture in self._deinterlacer.take(frame)]
        if not packet.size:  # the end of the input
            whole += self._deinterlacer.drain()
        return [self._picture(frame, received) for frame in whole]

    def _is_shown(self, frame: VideoFrame, now: float) -> bool:
        """Tell whether to show `frame`, and count a damaged picture."""
        if frame.is_corrupt:
            self._context.counters.add("corrupt_pictures")
        return self._damage.shows(frame.is_corrupt, now, frame.time)

    def _picture(self, frame: VideoFrame, received: float) -> DecodedPicture:
        base = frame.time_base
        dts = None if frame.dts is None or base is None else frame.dts * base.numerator / base.denominator
        chosen = self._presentation.choose(frame.time, dts)
        pts = self._last + self._step if chosen is None else self._base + chosen
        if self._last - BACK < pts < self._last:
            pts = self._last
        self._last = pts
        first = not self._timeline.anchored
        placed = self._timeline.place("picture", pts, received + self._lead)
        if first:
            self._write_early_sound(received)
        return DecodedPicture(frame, placed, received, pts)

    def _on_audio(self, packet: "Packet[Any]", received: float) -> None:
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
                self._keep_early(pts, samples)

    def _keep_early(self, pts: float, samples: Samples) -> None:
        """Keep sound from before the first picture, by number of blocks and by length."""
        self._early.append((pts, samples))
        while len(self._early) > 1 and sum(len(block) for _, block in self._early) > _EARLY_SOUND * SAMPLE_RATE:
            self._early.popleft()

    def _write_early_sound(self, now: float) -> None:
        """Write the sound from before the first picture: the first picture fixes the time of the sound."""
        for pts, samples in self._early:
            if self._last - pts < _EARLY_SOUND:
                self._write(pts, samples, now)
        self._early.clear()

    def _write(self, pts: float, samples: Samples, now: float) -> None:
        begin, samples = self._joiner.fit(self._timeline.place("sound", pts, now + self._lead), samples)
        if self._context.ring is not None and len(samples):
            self._context.ring.write(begin, samples)
            self._context.counters.add("sound_blocks")


def _video_track(container: "InputContainer") -> "VideoStream":
    for track in container.streams.video:
        attached = bool(track.disposition & Disposition.attached_pic)
        if track.codec_context is not None and not attached:
            return track
    names = [f"{track.type} ({_codec(track)})" for track in container.streams]
    raise Lost(f"the input has no video track; the tracks: {', '.join(names) or 'none'}")


def _codec(track: Stream) -> str:
    return "unknown" if track.codec_context is None else track.codec_context.name
