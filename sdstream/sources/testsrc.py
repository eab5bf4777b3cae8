"""A moving test picture with a machine-readable code, and a beep with a flash each second."""

import time
from fractions import Fraction
from typing import Self

import numpy as np

from sdstream.config.schema import Canvas
from sdstream.config.sources import TestsrcSourceSettings
from sdstream.frame import SAMPLE_RATE, Frame, Pixels, Samples
from sdstream.sources import marker
from sdstream.sources.context import SourceContext

BEEP = 0.1
"""Length of a beep and of the flash (seconds); the first beep starts with the first picture."""
_BEEP_HZ = 1000
_PATIENCE = 0.25
_BARS = ((235, 235, 235), (235, 235, 16), (16, 235, 235), (16, 235, 16), (235, 16, 235), (235, 16, 16), (16, 16, 235))


class TestSource:
    """Keeps the pace by the clock; a picture too late to draw is left out and counted, and never made up for."""

    __test__ = False  # pytest collects classes by name, and would collect this class

    def __init__(self, settings: TestsrcSourceSettings, context: SourceContext) -> None:
        self._context = context
        self._rate = context.canvas.rate
        if settings.fps:
            self._rate = Canvas(fps=settings.fps).rate
        self._size = (settings.width or context.canvas.width, settings.height or context.canvas.height)
        self._start: float | None = None
        self._number = 0
        self._seq = 0
        self._sound_end = 0

    def __enter__(self) -> Self:
        self._card = Card(*self._size)
        self._second = beeping_second()
        self._to_canvas = _Resizer(self._context.canvas) if self._size != self._canvas_size else None
        self._context.counters.set("width", self._size[0])
        self._context.counters.set("height", self._size[1])
        return self

    def __exit__(self, *exc: object) -> None:
        self._start = None

    @property
    def _canvas_size(self) -> tuple[int, int]:
        return self._context.canvas.width, self._context.canvas.height

    def read(self) -> Frame | None:
        """Return the next picture when due; None if the picture is due in more than a quarter of a second."""
        if self._start is None:
            self._start = time.monotonic()
        due = self._start + self._number / self._rate
        now = time.monotonic()
        if due - now > _PATIENCE:
            time.sleep(_PATIENCE)
            return None
        if now < due:
            time.sleep(due - now)
        elif late := int((now - due) * self._rate):
            self._number += late
            self._context.counters.add("late_pictures", late)
            due = self._start + self._number / self._rate
        captured = time.monotonic()
        pixels = self._card.draw(self._number, self._rate)
        if self._to_canvas:
            pixels = self._to_canvas.resize(pixels)
        self._number += 1
        self._seq += 1
        self._sound_until(Fraction(self._number) / self._rate)
        return Frame(pixels, self._seq, float(due), captured)

    def facts(self) -> dict[str, str]:
        """Return the format of picture and sound."""
        return {"codec": "none", "format": "rgb24", "size": "{}x{}".format(*self._size), "sound": "a beep each second"}

    def _sound_until(self, end: Fraction) -> None:
        ring, start = self._context.ring, self._start
        stop = int(end * SAMPLE_RATE)
        if ring is None or start is None:
            return
        if stop - self._sound_end > SAMPLE_RATE:
            self._sound_end = stop - SAMPLE_RATE
        indices = np.arange(self._sound_end, stop) % SAMPLE_RATE
        ring.write(start + self._sound_end / SAMPLE_RATE, self._second[indices])
        self._context.counters.add("sound_blocks")
        self._sound_end = stop


class Card:
    """Draws the test picture; only moving parts are drawn again, so 1920x1080 costs 0.5 ms."""

    def __init__(self, width: int, height: int) -> None:
        self._pixels: Pixels = np.empty((height, width, 3), np.uint8)
        self._marked = marker.fits(width, height)
        across = np.arange(width)
        bars = np.array(_BARS, np.uint8)[across * len(_BARS) // width]
        self._pixels[:] = bars
        top, bottom = height * 5 // 8, height * 7 // 8
        self._band = self._pixels[top:bottom]
        ramp = np.arange(2 * width)
        waves = [128 + 100 * np.sin(2 * np.pi * ramp * k / width) for k in (2, 3, 5)]
        strip = np.stack(waves, axis=-1).astype(np.uint8)
        self._strip: Pixels = np.ascontiguousarray(np.broadcast_to(strip, (bottom - top, 2 * width, 3)))
        self._pixels[bottom:] = (16, 16, 16)
        side = max(2, height // 8)
        self._box = self._pixels[-side:]
        self._side = min(side, width)
        self._flash = self._pixels[top - side : top, : self._side]
        self._under_flash = self._flash.copy()

    def draw(self, number: int, rate: Fraction) -> Pixels:
        """Return picture `number`; the next call overwrites the pixels."""
        width = self._pixels.shape[1]
        second, phase = divmod(Fraction(number) / rate, 1)
        shift = number * max(1, width // 160) % width
        np.copyto(self._band, self._strip[:, shift : shift + width])
        self._box[:] = (16, 16, 16)
        left = int(phase * max(1, width - self._side))
        self._box[:, left : left + self._side] = (235, 235 - 40 * (int(second) % 5), 16)
        self._flash[:] = 255 if phase < BEEP else self._under_flash
        if self._marked:
            beep = phase * rate < 1
            marker.burn(self._pixels, marker.Mark.now(number, beep=beep))
        return self._pixels


class _Resizer:
    def __init__(self, canvas: Canvas) -> None:
        from sdstream.sources.decoding.convert import Converter

        self._converter = Converter(canvas)

    def resize(self, pixels: Pixels) -> Pixels:
        import av

        from sdstream.sources.decoding.shape import Shape

        frame = av.VideoFrame.from_numpy_buffer(pixels, "rgb24")
        return self._converter.convert(frame, Shape.of(frame))


def beeping_second() -> Samples:
    """A beep of a tenth of a second with soft ends (2 ms), then silence."""
    sound = np.zeros((SAMPLE_RATE, 2), np.float32)
    length, soft = int(BEEP * SAMPLE_RATE), SAMPLE_RATE // 500
    tone = 0.3 * np.sin(2 * np.pi * _BEEP_HZ * np.arange(length) / SAMPLE_RATE)
    tone[-soft:] *= np.linspace(1, 0, soft)
    sound[:length] = tone[:, None]
    return sound
