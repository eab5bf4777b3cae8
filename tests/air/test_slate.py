"""The slate: the built-in picture, and a picture of the user."""

import contextlib
import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sdstream.air.slate import make_slate
from sdstream.errors import Unavailable


@pytest.mark.parametrize("size", [(1280, 720), (16, 16), (360, 640)])
def test_the_built_in_slate_has_canvas_size_and_is_not_one_colour(size: tuple[int, int]) -> None:
    slate = make_slate(*size)
    assert slate.shape == (size[1], size[0], 3)
    assert slate.dtype == np.uint8
    assert slate.std() > 1


def test_the_users_picture_fills_the_canvas(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    Image.new("RGBA", (50, 200), (10, 200, 30, 255)).save(path)
    slate = make_slate(320, 180, path)
    assert slate.shape == (180, 320, 3)
    assert (slate == (10, 200, 30)).all()


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 20])
def test_a_slate_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.png"
    path.write_bytes(content)
    with pytest.raises(Unavailable, match=r"mine\.png"):
        make_slate(320, 180, path)


def test_a_slate_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"mine\.png"):
        make_slate(320, 180, tmp_path / "mine.png")


FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "ICO", "TGA", "DDS", "SGI", "JPEG2000", "PCX")


def damaged(form: str, seed: int) -> bytes:
    """Return a small picture with some bytes changed, and at times with the end cut off."""
    dice, written = random.Random(seed), io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8)).save(written, form)
    data = bytearray(written.getvalue())
    for _ in range(dice.randrange(1, 30)):
        data[dice.randrange(min(len(data), 400 if dice.random() < 0.7 else len(data)))] = dice.randrange(256)
    return bytes(data[: dice.randrange(len(data))] if dice.random() < 0.3 else data)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of what it reads in spite of the damage
def test_a_damaged_picture_is_a_slate_or_is_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / "mine"
    for seed in range(60):
        path.write_bytes(damaged(form, seed))
        with contextlib.suppress(Unavailable):
            assert make_slate(64, 48, path).shape == (48, 64, 3)


@pytest.mark.filterwarnings("ignore")
def test_a_bomb_is_refused_by_its_size_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    Image.new("1", (12_000, 12_000)).save(path)
    with pytest.raises(Unavailable, match="12000x12000 is more than 100 million pixels"):
        make_slate(64, 48, path)
