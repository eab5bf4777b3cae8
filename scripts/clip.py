"""Makes the clip of `sdstream demo`: python -m scripts.clip FOLDER, with the films of `CUTS` in FOLDER.

A few seconds of two films with sound, at the demo's size and rate: `sdstream/clip/CREDITS.md` names the films.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, RATE, SAMPLE_RATE = 640, 360, 25, 48_000
CLIP = Path(__file__).parents[1] / "sdstream" / "clip" / "clip.mp4"
_FADE = 0.08  # seconds of fade at each cut: without a fade the sound clicks

Picture = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cut:
    """Part of a film, from `begin` to `end` in seconds."""

    film: str
    """Name of the file."""
    begin: float
    end: float

    @property
    def pictures(self) -> int:
        """Number of pictures at the clip's rate."""
        return round((self.end - self.begin) * RATE)

    @property
    def samples(self) -> int:
        """Number of sound samples."""
        return self.pictures * SAMPLE_RATE // RATE


CUTS = (
    Cut("05_cartoon_big_buck_bunny.mp4", 0.0, 5.2),
    Cut("04_live_action_tears_of_steel.webm", 22.2, 27.0),
)


def pictures(folder: Path, cut: Cut) -> Iterator[Picture]:
    """Yield the pictures of a cut at `RATE`, cropped around the middle to the clip's aspect ratio."""
    number = 0
    with av.open(str(folder / cut.film)) as film:
        for frame in film.decode(video=0):
            while number < cut.pictures and frame.time >= cut.begin + (number - 0.5) / RATE:
                yield _fitted(frame)
                number += 1
            if number == cut.pictures:
                return
    raise SystemExit(f"{cut.film} ends before {cut.end} s: expected the film named in sdstream/clip/CREDITS.md")


def _fitted(frame: av.VideoFrame) -> Picture:
    scale = max(WIDTH / frame.width, HEIGHT / frame.height)
    width, height = (2 * round(side * scale / 2) for side in (frame.width, frame.height))
    scaled = frame.reformat(max(WIDTH, width), max(HEIGHT, height), "rgb24", interpolation="BICUBIC").to_ndarray()
    left, top = (scaled.shape[1] - WIDTH) // 2, (scaled.shape[0] - HEIGHT) // 2
    return np.ascontiguousarray(scaled[top : top + HEIGHT, left : left + WIDTH])


def sound(folder: Path, cut: Cut) -> Sound:
    """Return the sound of a cut as (2, samples), with a fade at each end."""
    resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE)
    with av.open(str(folder / cut.film)) as film:
        blocks = [part.to_ndarray() for frame in film.decode(audio=0) for part in resampler.resample(frame)]
    begin = round(cut.begin * SAMPLE_RATE)
    samples = np.concatenate(blocks, axis=1)[:, begin : begin + cut.samples]
    out = np.zeros((2, cut.samples), np.float32)
    out[:, : samples.shape[1]] = samples
    slope = np.linspace(0, 1, round(_FADE * SAMPLE_RATE), dtype=np.float32)
    out[:, : len(slope)] *= slope
    out[:, -len(slope) :] *= slope[::-1]
    return out


def write(folder: Path, clip: Path) -> None:
    """Encode H.264 without B-frames and with a key frame each second, and AAC; tagged BT.709."""
    with av.open(str(clip), "w", options={"movflags": "+faststart"}) as out:
        video = out.add_stream("libx264", rate=RATE, options={"crf": "26", "preset": "veryslow", "bf": "0"})
        video.width, video.height, video.pix_fmt, video.gop_size = WIDTH, HEIGHT, "yuv420p", RATE
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = 1
        audio = out.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        audio.bit_rate = 96_000
        shown = [picture for cut in CUTS for picture in pictures(folder, cut)]
        for number, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        samples = np.concatenate([sound(folder, cut) for cut in CUTS], 1)
        block = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
        block.sample_rate, block.pts = SAMPLE_RATE, 0
        out.mux(audio.encode(block))
        out.mux(audio.encode(None))
    print(f"{clip}: {clip.stat().st_size} bytes, {len(shown) / RATE:.1f} s")


if __name__ == "__main__":
    write(Path(sys.argv[1]), CLIP)
