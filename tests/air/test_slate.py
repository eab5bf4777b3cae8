"""The slate: the built-in picture, and a picture of the user."""

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
