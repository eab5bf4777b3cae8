"""An NDI sender as a source, by URL with no discovery at all, or by name through NDI's finder.

The receiver queues ten pictures and drops the oldest: each `read` drains the queue to the newest picture, because the
oldest picture is a third of a second late.
"""

import math
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np

from sdstream.config.sources import NdiSourceSettings
from sdstream.errors import Bug, Lost
from sdstream.frame import SAMPLE_RATE, Frame, Samples
from sdstream.log import get_logger
from sdstream.sources.context import SourceContext
from sdstream.sources.decoding.convert import Converter
from sdstream.sources.decoding.deinterlace import Deinterlacer
from sdstream.sources.decoding.shape import Shape
from sdstream.sources.decoding.sound import Joiner, Resampler, sound_of
from sdstream.sources.decoding.timeline import Timeline
from sdstream.sources.ndi_capture import AUDIO, NOTHING, VIDEO, Audio, Capture, Video
from sdstream.sources.ndi_finder import Finder, NameLock, use_discovery_server
from sdstream.sources.ndi_picture import Fields, frame_of, is_interlaced
from sdstream.system.ndi_runtime import load_ndi

_PATIENCE = 0.25
_TIME_OF_DAY = 10 / 1e-7  # ticks; a timecode within ten seconds of the sending time is a time of day
_TICKS = 10_000_000  # NDI's timestamps count 100 ns
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "4.1", 6: "5.1", 8: "7.1"}  # as OBS counts speakers


@dataclass(frozen=True, slots=True)
class _Picture:
    frame: av.VideoFrame
    aspect: float
    """Width / height of the picture; 0 for square samples."""
    stamp: float
    """Presentation time (seconds)."""
    received: float
    interlaced: bool


class NdiSource:
    """Connects by URL, because NDI reconnects a URL by itself; a name is looked up again while no picture comes."""

    def __init__(self, settings: NdiSourceSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context
        self._ndi: Any = None  # the binding has no types
        self._finder: Finder | None = None
        self._receiver: Any = None
        self._capture: Capture | None = None
        self._url = ""
        self._seq = 0
        self._facts: dict[str, str] = {}

    def __enter__(self) -> Self:
        with tempfile.TemporaryDirectory(prefix="sdstream-ndi-") as folder:
            use_discovery_server(self._settings, Path(folder))
            self._ndi = load_ndi()  # reads the file in the folder
        self._converter = Converter(self._context.canvas, self._settings)
        self._timeline, self._joiner, self._resampler = Timeline(), Joiner(), Resampler()
        self._fields, self._times = Fields(), PresentationTimes()
        self._deinterlacer = Deinterlacer("on", 0.0)
        if self._settings.url:
            self._connect(self._settings.url)
        else:
            self._lock = NameLock(self._settings.name or "")
            self._finder = Finder(self._ndi, self._settings.extra_ips, self._settings.groups)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._receiver is not None:
            self._ndi.recv_destroy(self._receiver)
        if self._finder is not None:
            self._finder.close()
        self._receiver = self._finder = self._capture = None
        self._url = ""

    def read(self) -> Frame | None:
        """Return the newest picture; None while no picture comes, or while the sender is not there."""
        if self._ndi is None:
            raise Bug("the NDI source is not open")
        deadline = time.monotonic() + _PATIENCE
        if self._capture is None and not self._look_up(wait=True):
            return None
        newest = self._newest(deadline)
        if newest is not None:
            if self._finder is not None:
                self._lock.picture_came(newest.received)
            return self._frame(newest)
        if self._finder is not None:
            self._look_up(wait=False)
        return None

    def facts(self) -> dict[str, str]:
        """Return the known facts about the sender's picture and sound."""
        return dict(self._facts)

    def _look_up(self, *, wait: bool) -> bool:
        """Find the sender by name, and connect to the present URL: a restarted sender has a new port."""
        if self._finder is None:
            return self._capture is not None
        if wait:
            self._finder.wait(_PATIENCE)
        url = self._lock.resolve(self._finder.senders(), time.monotonic())
        if url and url != self._url:
            self._connect(url)
        return self._capture is not None

    def _connect(self, url: str) -> None:
        source = self._ndi.Source(p_url_address=url)
        self._url = url
        if self._receiver is not None:
            self._ndi.recv_connect(self._receiver, source)
            return
        lowest = self._settings.bandwidth == "lowest"
        if lowest:
            get_logger().warning("receiving the small preview picture of the NDI source, because of bandwidth: lowest")
        bandwidth = self._ndi.RECV_BANDWIDTH_LOWEST if lowest else self._ndi.RECV_BANDWIDTH_HIGHEST
        # Fastest: the sender's own YUV, with alpha. NDI's conversion of alpha pictures to BGRA is 8 levels off in blue.
        request = self._ndi.RecvCreateV3(source, self._ndi.RECV_COLOR_FORMAT_FASTEST, bandwidth, True, "sdstream")
        self._receiver = self._ndi.recv_create_v3(request)
        if self._receiver is None:
            raise Lost(f"the NDI runtime cannot make a receiver for {url}")
        self._capture = Capture(self._ndi, self._receiver)

    def _newest(self, deadline: float) -> _Picture | None:
        """Wait for a picture, drain the queue and return the last picture; sound goes into the audio ring.

        Returns None at `deadline`, also when a sender has sound and no picture.
        """
        capture = self._opened_capture()
        newest: _Picture | None = None
        while newest is not None or time.monotonic() < deadline:
            wait = 0 if newest is not None else math.ceil((deadline - time.monotonic()) * 1000)
            kind, video, audio = capture.take(wait)
            if kind == VIDEO:
                picture = self._picture(video)
                capture.free(video)
                if picture and newest:
                    self._context.counters.add("queued_pictures")
                newest = picture or newest
            elif kind == AUDIO:
                self._on_audio(audio)
                capture.free(audio)
            elif kind == NOTHING and newest is not None:
                return newest
        return None

    def _picture(self, video: Video) -> _Picture | None:
        """Return a picture that no longer needs the runtime's memory; None for a first field."""
        stamp = self._times.of("picture", video)
        try:
            planes = self._fields.whole(video)
            if planes is None:
                return None
            frame = frame_of(video, planes)
        except ValueError as error:
            raise Lost(str(error)) from error
        return _Picture(frame, video.picture_aspect_ratio, stamp, time.monotonic(), is_interlaced(video))

    def _frame(self, picture: _Picture) -> Frame | None:
        frame, stamp = self._whole(picture)
        if frame is None:
            return None
        # NDI gives the aspect ratio of the picture, and 0 for square samples
        ratio = picture.aspect * frame.height / frame.width
        shape = Shape.of(frame, Fraction(ratio).limit_denominator(1000) if ratio > 0 else None)
        colour, size = shape.colour(self._settings), f"{frame.width}x{frame.height}"
        self._facts |= {"codec": "ndi", "format": shape.format, "size": size, "colour": colour}
        pixels = self._converter.convert(frame, shape)
        self._context.counters.set("width", frame.width)
        self._context.counters.set("height", frame.height)
        self._seq += 1
        placed = self._timeline.place("picture", stamp, picture.received)
        return Frame(pixels, self._seq, placed, picture.received)

    def _whole(self, picture: _Picture) -> tuple[av.VideoFrame | None, float]:
        """Deinterlace if wanted; return the picture that is ready, and the time of the picture."""
        mode = self._settings.deinterlace
        if mode == "off" or (mode == "auto" and not picture.interlaced):
            return picture.frame, picture.stamp
        picture.frame.pts, picture.frame.time_base = round(picture.stamp * _TICKS), Fraction(1, _TICKS)
        ready = self._deinterlacer.take(picture.frame)
        if not ready:
            return None, picture.stamp
        return ready[-1], ready[-1].time or picture.stamp

    def _on_audio(self, audio: Audio) -> None:
        stamp = self._times.of("sound", audio)
        if self._context.ring is None or not self._timeline.anchored or not audio.no_samples:
            return
        now = time.monotonic()
        self._facts["sound"] = f"{audio.sample_rate} Hz, {audio.no_channels} channels"
        samples = self._stereo(audio.planes(), audio.sample_rate)
        begin, samples = self._joiner.fit(self._timeline.place("sound", stamp, now), samples)
        self._context.ring.write(begin, samples)
        self._context.counters.add("sound_blocks")

    def _stereo(self, planes: np.ndarray[Any, np.dtype[np.float32]], rate: int) -> Samples:
        """Turn float planes (channels, n) into (m, 2) samples at 48 kHz."""
        if planes.shape[0] == 2 and rate == SAMPLE_RATE:
            return sound_of(np.ascontiguousarray(planes.T))
        layout = _LAYOUTS.get(planes.shape[0], "stereo")
        kept = planes if planes.shape[0] in _LAYOUTS else planes[:2]
        packed = np.ascontiguousarray(kept.T).reshape(1, -1)  # PyAV makes no planar frame of eight channels
        frame = av.AudioFrame.from_ndarray(packed, "flt", layout)
        frame.sample_rate = rate
        return self._resampler.convert(frame)

    def _opened_capture(self) -> Capture:
        if self._capture is None:
            raise Bug("the NDI source is not connected")
        return self._capture


class PresentationTimes:
    """The times of pictures and sound: timecodes, if both tracks have times of day as timecodes, else sending times.

    Picture and sound of a moment have the same timecode, even when sent at different times. But some senders leave the
    timecode at zero, and some put a timecode on one of the tracks only. Then the sending times agree better.
    """

    def __init__(self) -> None:
        self._coded = {"picture": False, "sound": False}

    def of(self, track: str, frame: Video | Audio) -> float:
        """Return the presentation time of a frame of `track` ("picture" or "sound"), in seconds."""
        stamp, code = frame.timestamp, frame.timecode
        self._coded[track] = abs(code - stamp) < _TIME_OF_DAY
        return float(code if all(self._coded.values()) else stamp) / _TICKS
