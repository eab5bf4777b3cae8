"""Any input of FFmpeg as a source: recordings at normal speed, live inputs at the sender's pace."""

import math
import stat
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import av
from av.error import FFmpegError

from sdstream.config.sources import BufferedSourceSettings, FfmpegSourceSettings
from sdstream.errors import Forbidden, Lost, SdstreamError, Unavailable
from sdstream.frame import Frame
from sdstream.redact import mask_url, redact
from sdstream.sources.context import Ended, SourceContext
from sdstream.sources.decoding.convert import Converter
from sdstream.sources.decoding.decode import DecodedPicture, Decoder
from sdstream.sources.decoding.deinterlace import Deinterlacer
from sdstream.sources.decoding.jitter_buffer import JitterBuffer
from sdstream.sources.decoding.playout import SHOW_EVERY, Playout
from sdstream.sources.decoding.reader import Arrival, Reader
from sdstream.sources.decoding.shape import Shape
from sdstream.system.certificates import default_ca_file

if TYPE_CHECKING:
    from av.container import InputContainer

OPEN_TIMEOUT = 12.0
"""Seconds; a server may start at the next key frame only, and encoders put key frames up to ten seconds apart."""
PATIENCE = 0.25
"""Longest `read` (seconds): the stage notices the end of the run only after the `read`."""
_LEAD = 0.1  # a recording's first picture waits (seconds): the pictures after the first need time to be decoded
_LATE = 0.1
_AHEAD = 0.25
_SOUND_AHEAD = 6.0  # seconds; the ring of the sound has 8
_MOST_AHEAD = 64
LIVE_OPTIONS = {"fpsprobesize": "0", "analyzeduration": "3000000", "fflags": "+discardcorrupt"}
_EXPECTED = "expected a file, a device or a URL such as rtsp://, udp:// or https://"
_NEWEST_SEGMENT = {"live_start_index": "-1"}  # FFmpeg's HLS starts three segments back
_SEGMENTED = frozenset({"hls", "dash"})
_WEB = "http,https,tcp,tls,crypto,httpproxy,data"


@dataclass(frozen=True)
class Input:
    """An input, and how to open the input. `url` may hold secrets, and never gets into a message."""

    url: Any
    """URL, file name, or (Any: PyAV takes file objects too) a file object."""
    name: str
    """Name in messages, without secrets."""
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    finite: bool = False
    """Whether the input is a recording: a recording ends, and a live input is lost."""
    realtime: bool = True
    """Whether a recording plays at normal speed, and not as fast as possible."""
    loop: bool = False
    read_timeout: float | None = 10.0
    """Seconds of silence after which the input is lost; None: never."""
    picture: BufferedSourceSettings = field(default_factory=BufferedSourceSettings)
    """How the pictures are read, and when they are shown."""
    arrival: Arrival | None = None
    """Tells when the bytes of a live input came; None: packets arrive when they are read."""

    @classmethod
    def of(cls, settings: FfmpegSourceSettings) -> "Input":
        """Return the input for `settings`."""
        url = settings.url.get_secret_value()
        path = _local(url)
        live_file = path is not None and not stat.S_ISREG(path.stat().st_mode)
        options = {**({} if path and not live_file else LIVE_OPTIONS), **_web_options(url), **_given(settings)}
        finite = not live_file and (path is not None or settings.format == "lavfi")
        format_ = settings.format or ("v4l2" if url.startswith("/dev/video") else None)
        pace = settings.realtime, settings.loop, settings.read_timeout
        return cls(url, mask_url(url), format_, options, finite, *pace, settings)


def _given(settings: FfmpegSourceSettings) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in settings.options.items()}


def open_ffmpeg(settings: FfmpegSourceSettings, context: SourceContext) -> "FfmpegSource":
    """Return the source for a file, camera or URL."""
    return FfmpegSource(Input.of(settings), context)


class FfmpegSource:
    """A source for a single input. The stage opens the source again after a loss."""

    def __init__(self, source: Input, context: SourceContext) -> None:
        self._input = source
        self._context = context
        self._converter = Converter(context.canvas, source.picture)
        self._reader: Reader | None = None
        self._decoder: Decoder | None = None
        self._playout: Playout | None = None
        self._queue: deque[DecodedPicture] = deque()
        self._seq = 0
        self._shown_at = 0.0
        self._shape: Shape | None = None
        self._last: Frame | None = None

    def __enter__(self) -> Self:
        self._reader = Reader(lambda: _open(self._input), self._context.check_running, self._input.arrival)
        self._finite = self._input.finite or _is_download(self._input, self._reader.container)
        self._paced = self._finite and self._input.realtime
        deinterlacer = Deinterlacer(self._input.picture.deinterlace, self._context.canvas.fps)
        self._decoder = Decoder(self._reader, self._context, _LEAD if self._paced else 0.0, deinterlacer)
        self._playout = None if self._finite else self._live_playout(self._decoder)
        self._queue.clear()
        self._shown_at = time.monotonic()
        return self

    def __exit__(self, *exc: object) -> None:
        self._queue.clear()
        self._decoder = self._playout = None
        for name in ("buffer", "buffer_reason"):
            self._context.counters.set(name, 0)
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def read(self) -> Frame | None:
        """Return the next picture. Raises Lost when the input is gone, Ended when a recording is over."""
        deadline = time.monotonic() + PATIENCE
        if self._playout is not None:
            try:
                picture = self._playout.next(deadline)
            except EOFError as end:
                raise Lost(f"{self._input.name}: the live input ended") from end
            return self._convert(picture) if picture else None
        return self._read_recording(deadline)

    def _read_recording(self, deadline: float) -> Frame | None:
        """Return the next picture of a recording; the last picture again while no other is due."""
        while time.monotonic() < deadline:
            self._fill(deadline)
            due = self._queue[0].pts if self._queue else math.inf
            if self._paced and not self._wait(due, deadline):
                return self._still(time.monotonic())
            if self._queue and (frame := self._convert(self._queue.popleft())):
                return frame
        return None

    def _still(self, now: float) -> Frame | None:
        """Return the last picture at the present time; None before the first picture."""
        last = self._last
        return replace(last, pts=last.pts + now - last.captured, captured=now) if last else None

    def _live_playout(self, decoder: Decoder) -> Playout:
        buffer = self._input.picture.buffer
        container = self._reader.container.format.name.split(",") if self._reader else ()
        segments, exact = not _SEGMENTED.isdisjoint(container), self._input.arrival is not None
        policy = JitterBuffer(None if buffer == "auto" else buffer, segments=segments, exact=exact)
        return Playout(decoder, policy, self._context.counters)

    def facts(self) -> dict[str, str]:
        """Return the known facts about picture and sound; nothing before the first picture."""
        if self._shape is None or self._decoder is None:
            return {}
        shape, sound = self._shape, self._decoder.sound
        facts = {
            "codec": self._decoder.video.codec_context.name,
            "format": shape.format,
            "size": f"{shape.width}x{shape.height}",
            "aspect": f"{shape.aspect.numerator}:{shape.aspect.denominator}",
            "rotation": f"{shape.turns * 90}",
            "colour": shape.colour(self._input.picture),
        }
        if sound is not None:
            codec = sound.codec_context
            facts["sound"] = f"{codec.name}, {codec.sample_rate} Hz, {codec.layout.name}"
        return facts

    def _fill(self, deadline: float) -> None:
        """Read a recording until the queue holds enough pictures, or until `deadline`."""
        decoder = self._opened_decoder()
        while self._wants_more(decoder):
            try:
                self._queue.extend(decoder.pump(max(0.0, deadline - time.monotonic())))
            except EOFError as end:
                if self._queue or not self._begins_again(decoder, end):
                    return
            if time.monotonic() > deadline:
                return

    def _wants_more(self, decoder: Decoder) -> bool:
        """Tell whether to read on: to the next picture and its sound, because files interleave coarsely.

        Sound without pictures is not read further ahead than the ring is long.
        """
        sound = decoder.sound_end
        if not self._paced or sound is None:
            return not self._queue
        if not self._queue:
            return sound < time.monotonic() + _SOUND_AHEAD
        return len(self._queue) < _MOST_AHEAD and sound < self._queue[0].pts + _AHEAD

    def _begins_again(self, decoder: Decoder, end: EOFError) -> bool:
        """Go back to the start for `loop`; False while sound goes on without pictures. Raises Ended at the end."""
        name = self._input.name
        if not self._seq:
            raise Unavailable(f"{name} has no picture that FFmpeg can decode; try: ffprobe {name}") from end
        if self._input.loop:
            decoder.rewind()
            return True
        if not self._paced or (decoder.sound_end or 0.0) < time.monotonic() + PATIENCE:
            raise Ended(name) from end
        return False

    @staticmethod
    def _wait(due: float, deadline: float) -> bool:
        now = time.monotonic()
        time.sleep(max(0.0, min(due, deadline) - now))
        return due <= deadline

    def _convert(self, picture: DecodedPicture) -> Frame | None:
        """Return the frame of a picture; None for a late picture. Raises Lost if the picture cannot be converted."""
        now = time.monotonic()
        late = self._paced and now - picture.pts > _LATE and now - self._shown_at < SHOW_EVERY
        if late:
            self._context.counters.add("late_pictures")
            return None
        track = self._opened_decoder().video
        aspect = track.codec_context.sample_aspect_ratio or track.sample_aspect_ratio
        shape = self._shape = Shape.of(picture.frame, aspect)
        try:
            pixels = self._converter.convert(picture.frame, shape)
        except (FFmpegError, ValueError) as error:
            raise Lost(
                f"{self._input.name}: FFmpeg cannot convert a picture of format {shape.format}, "
                f"{shape.width}x{shape.height}"
            ) from error
        self._context.counters.set("width", shape.width)
        self._context.counters.set("height", shape.height)
        self._seq += 1
        self._shown_at = now
        self._last = Frame(pixels, self._seq, picture.pts, now if self._paced else picture.received)
        return self._last

    def _opened_decoder(self) -> Decoder:
        if self._decoder is None:
            raise Lost(f"{self._input.name} is not open")
        return self._decoder


def _open(source: Input) -> "InputContainer":
    timeout = (OPEN_TIMEOUT, source.read_timeout)
    try:
        container: InputContainer = av.open(source.url, "r", source.format, dict(source.options), timeout=timeout)
    except FFmpegError as error:
        raise _open_error(source, error) from error
    except ValueError as error:
        raise Unavailable(
            f"{source.name}: this FFmpeg has no input format {source.format!r}; "
            "expected a name such as flv, mpegts or v4l2"
        ) from error
    return container


def _open_error(source: Input, error: FFmpegError) -> SdstreamError:
    reason = error.strerror or type(error).__name__
    if isinstance(source.url, str):
        reason = redact(reason, source.url)
    message = f"cannot open {source.name}: {reason}"
    local = isinstance(source.url, str) and _local(source.url) is not None
    if isinstance(error, PermissionError) and local:
        return Forbidden(message)
    if isinstance(error, FileNotFoundError) or local:
        return Unavailable(f"{message}; expected a file, a device or a URL; try: ffprobe {source.name}")
    if isinstance(error, av.error.ProtocolNotFoundError | av.error.DemuxerNotFoundError):
        srt = isinstance(source.url, str) and source.url.startswith("srt:")
        hint = "the av wheels have no SRT: write `kind: srt`" if srt else _EXPECTED
        return Unavailable(f"{message}; this build of FFmpeg does not support the protocol or the format; {hint}")
    return Lost(message)


def _local(url: str) -> Path | None:
    """Return the path of a local file (or device, or pipe); None for a URL, or for a name of FFmpeg's."""
    path = Path(url.removeprefix("file:"))
    return path if "://" not in url and path.exists() else None


def _web_options(url: str) -> dict[str, str]:
    scheme = urlsplit(url).scheme if "://" in url else ""
    options = {"protocol_whitelist": _WEB, **_NEWEST_SEGMENT} if scheme in {"http", "https"} else {}
    authorities = default_ca_file() if scheme == "https" else None
    return {**options, "ca_file": str(authorities)} if authorities else options


def _is_download(source: Input, container: "InputContainer") -> bool:
    """Tell whether a web address is a download: a download has a duration, a live stream has none."""
    web = isinstance(source.url, str) and source.url.startswith(("http://", "https://"))
    return web and bool(container.duration)
