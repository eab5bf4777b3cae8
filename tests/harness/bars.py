"""A clip of still colour bars with a counter and a tone; the number and the error of a received picture."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from sdstream.frame import SAMPLE_RATE, Pixels
from sdstream.sources.marker import Mark, burn, read

COLOURS = (
    (192, 48, 48),
    (48, 160, 80),
    (32, 64, 128),
    (191, 191, 0),
    (0, 191, 191),
    (191, 0, 191),
    (235, 235, 235),
    (16, 16, 16),
)
"""The bars from left to right, as RGB."""
TONE = 440
"""Hz."""


def write(path: Path, size: tuple[int, int], fps: int, numbers: range) -> None:
    """Write a clip of the pictures with these numbers, over what `path` held: RGB without loss, and stereo PCM."""
    count = SAMPLE_RATE // fps  # samples a picture
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=fps)
        video.width, video.height, video.pix_fmt = *size, "bgr0"
        audio = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="stereo")
        for index, number in enumerate(numbers):
            picture = av.VideoFrame.from_ndarray(draw(*size, number), "rgb24")
            picture.pts, picture.time_base = index, Fraction(1, fps)
            container.mux(video.encode(picture.reformat(format="bgr0")))
            at = index * count + np.arange(count)
            tone = (8000 * np.sin(at * 2 * np.pi * TONE / SAMPLE_RATE)).astype(np.int16)
            sound = av.AudioFrame.from_ndarray(np.repeat(tone, 2)[None], "s16", "stereo")
            sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, int(at[0]), Fraction(1, SAMPLE_RATE)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))


def draw(width: int, height: int, number: int) -> Pixels:
    """Return one picture of the clip."""
    bars = np.array(COLOURS, np.uint8)[np.arange(width) * len(COLOURS) // width]
    picture = np.repeat(bars[None], height, axis=0)
    burn(picture, Mark(number, 0, beep=False))
    return picture


def number(picture: Pixels | None) -> int | None:
    """Return the number of a picture, or None if it shows none."""
    mark = None if picture is None else read(picture)
    return None if mark is None else mark.counter


def error(picture: Pixels | None) -> int:
    """Return the largest error of any channel of any pixel inside the bars, out of 255; 255 if there is no picture."""
    if picture is None:
        return 255
    height, width = picture.shape[:2]
    bar = width // len(COLOURS)
    middle = slice(bar // 4, bar - bar // 4)  # chroma of half resolution mixes colours at the edges
    lower = picture[height // 4 :].reshape(-1, len(COLOURS), bar, 3)[:, :, middle].astype(np.int16)
    return int(np.abs(lower - np.array(COLOURS)[:, None]).max())
