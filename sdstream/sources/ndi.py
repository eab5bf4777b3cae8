"""An NDI sender as a source, by URL with no discovery at all, or by name through NDI's finder.

NDI is BT.709 with limited range at every size. The receiver queues ten pictures and drops the oldest: each `read`
drains the queue to the newest picture, because the oldest picture is a third of a second late.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import av
import numpy as np

from sdstream.config.sources import NdiSourceSettings
from sdstream.errors import Bug, Lost
from sdstream.frame import SAMPLE_RATE, Frame, Samples
from sdstream.log import get_logger
from sdstream.sources.context import SourceContext
from sdstream.sources.decoding.convert import Converter
from sdstream.sources.decoding.shape import Shape
from sdstream.sources.decoding.sound import Joiner, Resampler, sound_of
from sdstream.sources.decoding.timeline import Timeline
from sdstream.system.endpoint import Endpoint, Search
from sdstream.system.ndi_runtime import load_ndi

_PATIENCE = 0.25
_TIME_OF_DAY = 10 / 1e-7  # ticks; a timecode within ten seconds of the sending time is a time of day
_TICK = 1e-7  # NDI's timestamps count 100 ns
_BT709, _LIMITED = 1, 1
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "4.1", 6: "5.1", 8: "7.1"}  # as OBS counts speakers


@dataclass(frozen=True, slots=True)
class NdiName:
    """A sender found on the network."""

    name: str
    """Value for `source.name`: "MACHINE (Name)"."""
    url: str
    """host:port."""


def find_sources(timeout: float, extra_ips: Sequence[str] = ()) -> list[NdiName]:
    """Return the senders seen within `timeout` seconds. Raises Unavailable without the NDI runtime."""
    ndi = load_ndi()
    finder = _make_finder(ndi, extra_ips)
    try:
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            ndi.find_wait_for_sources(finder, max(1, int(min(left, _PATIENCE) * 1000)))
        return _senders(ndi, finder)
    finally:
        ndi.find_destroy(finder)


def listing(search: Search) -> list[Endpoint]:
    """Return the senders on the network. Raises Unavailable without the NDI runtime."""
    found = find_sources(search.seconds, search.extra_ips)
    return [Endpoint(sender.name, sender.url, {"kind": "ndi", "name": sender.name}) for sender in found]


class NdiSource:
    """Connects by URL, because NDI reconnects a URL by itself; a name is looked up again while no picture comes."""

    def __init__(self, settings: NdiSourceSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context
        self._ndi: Any = None  # the binding has no types
        self._finder: Any = None
        self._receiver: Any = None
        self._url = ""
        self._seq = 0
        self._missed = False
        self._facts: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._ndi = load_ndi()
        self._converter = Converter(self._context.canvas, self._settings)
        self._timeline, self._joiner, self._resampler = Timeline(), Joiner(), Resampler()
        if self._settings.url:
            self._connect(self._settings.url)
        else:
            self._finder = _make_finder(self._ndi, self._settings.extra_ips)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._receiver is not None:
            self._ndi.recv_destroy(self._receiver)
        if self._finder is not None:
            self._ndi.find_destroy(self._finder)
        self._receiver = self._finder = None
        self._url = ""

    def read(self) -> Frame | None:
        """Return the newest picture; None while no picture comes, or while the sender is not there."""
        if self._ndi is None:
            raise Bug("the NDI source is not open")
        deadline = time.monotonic() + _PATIENCE
        if self._receiver is None and not self._look_up(wait=True):
            return None
        newest = self._newest(deadline)
        if newest is not None:
            return self._frame(*newest)
        if self._finder is not None:
            self._look_up(wait=False)
        return None

    def facts(self) -> dict[str, str]:
        """Return the known facts about the sender's picture and sound."""
        return dict(self._facts)

    def _look_up(self, *, wait: bool) -> bool:
        """Find the sender by name, and connect to the present URL: a restarted sender has a new port."""
        if wait:
            self._ndi.find_wait_for_sources(self._finder, int(_PATIENCE * 1000))
        senders = _senders(self._ndi, self._finder)
        wanted = self._settings.name
        url = next((sender.url for sender in senders if wanted in (sender.name, _short(sender.name))), "")
        if not url:
            if not self._missed:
                names = [sender.name for sender in senders]
                get_logger().warning("no NDI source has this name yet", wanted=self._settings.name, seen=names)
            self._missed = True
            return self._receiver is not None
        if url != self._url:
            self._connect(url)
        return True

    def _connect(self, url: str) -> None:
        source = self._ndi.Source(p_url_address=url)
        self._url = url
        if self._receiver is not None:
            self._ndi.recv_connect(self._receiver, source)
            return
        lowest = self._settings.bandwidth == "lowest"
        bandwidth = self._ndi.RECV_BANDWIDTH_LOWEST if lowest else self._ndi.RECV_BANDWIDTH_HIGHEST
        fields = False  # NDI then joins the two fields of an interlaced source
        request = self._ndi.RecvCreateV3(source, self._ndi.RECV_COLOR_FORMAT_UYVY_BGRA, bandwidth, fields, "sdstream")
        self._receiver = self._ndi.recv_create_v3(request)
        if self._receiver is None:
            raise Lost(f"the NDI runtime cannot make a receiver for {url}")

    def _newest(self, deadline: float) -> tuple[Any, float] | None:
        """Wait for a picture, drain the queue and return the last picture; sound goes into the audio ring.

        Returns None at `deadline`, also when a sender has sound and no picture.
        """
        newest, received = None, 0.0
        while newest is not None or time.monotonic() < deadline:
            wait = 0 if newest is not None else math.ceil((deadline - time.monotonic()) * 1000)
            kind, video, audio, _ = self._ndi.recv_capture_v2(self._receiver, wait, True, True, False)
            if kind == self._ndi.FRAME_TYPE_VIDEO:
                if newest is not None:
                    self._ndi.recv_free_video_v2(self._receiver, newest)
                    self._context.counters.add("queued_pictures")
                newest, received = video, time.monotonic()
            elif kind == self._ndi.FRAME_TYPE_AUDIO:
                self._on_audio(audio)
                self._ndi.recv_free_audio_v2(self._receiver, audio)
            elif kind == self._ndi.FRAME_TYPE_NONE and newest is not None:
                return newest, received
        return None

    def _frame(self, video: Any, received: float) -> Frame:
        data = video.data  # each access makes a copy
        stamp, code, ratio = _presentation_time(video), int(video.FourCC), video.picture_aspect_ratio
        self._ndi.recv_free_video_v2(self._receiver, video)
        height, width = video.yres, video.xres
        picture = av.VideoFrame(width, height, "uyvy422" if code == _UYVY else "bgra")
        _fill(picture, np.asarray(data, np.uint8).reshape(height, -1))
        if code == _UYVY:
            picture.colorspace, picture.color_range = _BT709, _LIMITED
        # NDI gives the aspect ratio of the picture, and 0 for square samples
        aspect = Fraction(ratio * height / width).limit_denominator(1000) if ratio > 0 else None
        shape = Shape.of(picture, aspect)
        colour = shape.colour(self._settings)
        self._facts = {"codec": "ndi", "format": shape.format, "size": f"{width}x{height}", "colour": colour}
        pixels = self._converter.convert(picture, shape)
        self._context.counters.set("width", width)
        self._context.counters.set("height", height)
        self._seq += 1
        return Frame(pixels, self._seq, self._timeline.place("picture", stamp, received), received)

    def _on_audio(self, audio: Any) -> None:
        if self._context.ring is None or not self._timeline.anchored:
            return
        now = time.monotonic()
        self._facts["sound"] = f"{audio.sample_rate} Hz, {audio.no_channels} channels"
        samples = self._stereo(np.asarray(audio.data, np.float32), audio.sample_rate)
        placed = self._timeline.place("sound", _presentation_time(audio), now)
        begin, samples = self._joiner.fit(placed, samples)
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


_UYVY = int.from_bytes(b"UYVY", "little")


def _fill(picture: av.VideoFrame, lines: Any) -> None:  # PyAV takes any buffer, but is typed for bytes
    """Copy packed lines (height, bytes) into a picture, padding the lines if needed."""
    plane = picture.planes[0]
    if plane.line_size == lines.shape[1]:
        plane.update(lines)
        return
    padded: Any = np.zeros((picture.height, plane.line_size), np.uint8)
    width = min(lines.shape[1], plane.line_size)
    padded[:, :width] = lines[:, :width]
    plane.update(padded)


def _make_finder(ndi: Any, extra_ips: Sequence[str]) -> Any:
    finder = ndi.find_create_v2(ndi.FindCreate(True, None, ",".join(extra_ips) or None))
    if finder is None:
        raise Lost("the NDI runtime cannot make a finder; check the runtime: sdstream doctor")
    return finder


def _senders(ndi: Any, finder: Any) -> list[NdiName]:
    return [NdiName(source.ndi_name or "", source.url_address or "") for source in ndi.find_get_current_sources(finder)]


def _presentation_time(frame: Any) -> float:
    """Return a frame's presentation time (seconds): the timecode, if a time of day, else the sending time.

    Picture and sound of a moment have the same timecode, even when sent at different times. But some senders leave the
    timecode at zero, and some put a tape's timecode on the picture and not on the sound.
    """
    stamp, code = float(frame.timestamp), float(frame.timecode)
    return (code if abs(code - stamp) < _TIME_OF_DAY else stamp) * _TICK


def _short(name: str) -> str:
    """Return "Name" of "MACHINE (Name)"."""
    return name.partition(" (")[2].removesuffix(")")
