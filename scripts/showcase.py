"""Makes the README's pictures with the bundled model: python -m scripts.showcase FOLDER, a folder of clips.

`looks.jpg`: moments of the clips before and after. `show.webp`: the demo's clip in several looks with crossfades, and
the camera on the left of a moving line. Both come from the daemon's engine and finisher, picture by picture: the speed
of the machine changes nothing. docs/showcase/README.md has the credits; add a credit with every new film.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sdstream.clip import CLIP
from sdstream.config.engine import DiffusionSettings
from sdstream.config.schema import Canvas
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Controls, Similarity
from sdstream.engine.diffusion import DiffusionEngine
from sdstream.frame import Frame, Pixels
from sdstream.stages.finisher import Finisher
from sdstream.system.user_folders import cache_folder

OUT = Path(__file__).parents[1] / "docs" / "showcase"
ENGINE = (448, 256)
MOMENTS = (
    ("01_person_webcam_asl.mkv", 2.0),
    ("05_cartoon_big_buck_bunny.mp4", 2.4),
    ("04_live_action_tears_of_steel.webm", 1.0),
    ("06_driving_camera_motion.mp4", 4.0),
)
LOOKS = ("thick oil painting", "ukiyo-e woodblock print", "pencil sketch")
TILE = (320, 180)
SHOW_LOOKS = ("starry night, van gogh", "ukiyo-e woodblock print", "thick oil painting", "pop art comic")
SHOW = (480, 270)
SHOW_FPS = 10
STILL = Controls(steps=(26,), similarity=Similarity(mode="off"))
MOVING = STILL.model_copy(update={"steadiness": "light", "transition": 0.6})
_IN_FLIGHT = 8  # more pictures than any number of steps holds back


@dataclass
class Painter:
    """The daemon's picture path in a single process; `now` is the engine's clock for crossfades, seconds."""

    finisher: Finisher
    engine: DiffusionEngine
    now: list[float]

    def paint(self, picture: Pixels, number: int, controls: Controls) -> Frame | None:
        """Put a picture in; return a finished picture with its number as `seq`, or None while the batch fills."""
        restyled = self.engine(Frame(picture, number, 0.0, 0.0), controls)
        return None if restyled is None else self.finisher.finish(restyled, late=False).frame

    def still(self, picture: Pixels, prompt: str) -> Pixels:
        """Return `picture` restyled: the picture is repeated until the engine's batch is full."""
        self.engine.reset()
        for number in range(_IN_FLIGHT):
            done = self.paint(picture, number, STILL.model_copy(update={"prompt": prompt}))
            if done is not None:
                return done.pixels
        raise SystemExit(f"the engine gave no picture after {_IN_FLIGHT} calls")


@contextmanager
def painter(size: tuple[int, int]) -> Iterator[Painter]:
    """Open the engine and the finisher; finished pictures have `size`."""
    now = [0.0]
    settings = DiffusionSettings(width=ENGINE[0], height=ENGINE[1])
    with ExitStack() as parts:
        canvas = Canvas(width=size[0], height=size[1])
        finisher = parts.enter_context(Finisher(canvas, settings, StabiliseSettings()))
        engine = parts.enter_context(DiffusionEngine(settings, size, cache_folder(), lambda: now[0]))
        yield Painter(finisher, engine, now)


def pictures(path: Path, fps: float, begin: float = 0.0) -> Iterator[Pixels]:
    """Yield the pictures of a file at `fps` from `begin` seconds on, cropped to 16:9."""
    due = begin
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            while frame.time is not None and frame.time >= due - 0.5 / fps:
                yield _wide(frame.to_ndarray(format="rgb24"))
                due += 1 / fps


def _wide(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    wide, high = min(width, height * 16 // 9), min(height, width * 9 // 16)
    left, top = (width - wide) // 2, (height - high) // 2
    return np.ascontiguousarray(picture[top : top + high, left : left + wide])


def _sized(picture: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def looks(folder: Path) -> None:
    """Write a sheet with a row for each moment: the camera picture, and the picture in every look."""
    label, gap = 24, 4
    size = (len(LOOKS) + 1) * (TILE[0] + gap) + gap, label + len(MOMENTS) * (TILE[1] + gap)
    sheet = Image.new("RGB", size, (250, 248, 244))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    with painter(TILE) as paints:
        for row, (name, at) in enumerate(MOMENTS):
            camera = next(pictures(folder / name, 25, at))
            tiles = [_sized(camera, TILE), *(paints.still(_sized(camera, ENGINE), look) for look in LOOKS)]
            for column, tile in enumerate(tiles):
                sheet.paste(Image.fromarray(tile), (gap + column * (TILE[0] + gap), label + row * (TILE[1] + gap)))
    for column, title in enumerate(("camera", *LOOKS)):
        draw.text((gap + column * (TILE[0] + gap) + 4, label / 2), title, (40, 36, 48), font, anchor="lm")
    _save(sheet, OUT / "looks.jpg", quality=85)


def show() -> None:
    """Write the demo's clip as an animation, the camera on the left of a moving line."""
    cameras = [_sized(picture, ENGINE) for picture in pictures(CLIP, SHOW_FPS)]
    styled: dict[int, Pixels] = {}
    with painter(SHOW) as paints:
        for number in range(len(cameras) + _IN_FLIGHT):
            index = min(number, len(cameras) - 1)
            look = SHOW_LOOKS[index * len(SHOW_LOOKS) // len(cameras)]
            paints.now[0] = number / SHOW_FPS
            done = paints.paint(cameras[index], number, MOVING.model_copy(update={"prompt": look}))
            if done is not None:
                styled[done.seq] = done.pixels
    frames = [
        _wiped(_sized(camera, SHOW), styled[number], 0.38 - 0.34 * math.cos(4 * math.pi * number / len(cameras)))
        for number, camera in enumerate(cameras)
    ]
    _save(frames[0], OUT / "show.webp", save_all=True, append_images=frames[1:], duration=1000 // SHOW_FPS, loop=0,
          quality=60, method=4)  # fmt: skip


def _wiped(camera: Pixels, styled: Pixels, share: float) -> Image.Image:
    out, line = styled.copy(), round(share * SHOW[0])
    out[:, :line] = camera[:, :line]
    out[:, line : line + 2] = 255
    return Image.fromarray(out)


def _save(picture: Image.Image, path: Path, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    looks(Path(sys.argv[1]))
    show()
