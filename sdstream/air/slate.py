"""The slate, the picture of last resort: a file of the user, or a quiet built-in picture."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from sdstream.errors import Unavailable
from sdstream.frame import Pixels

_TOP, _BOTTOM, _INK = (22, 24, 34), (52, 44, 66), (226, 222, 232)  # RGB: a vertical gradient, and the letters
_TEXT = "Back in a moment"


def make_slate(width: int, height: int, picture: Path | None = None) -> Pixels:
    """Return a slate of canvas size: `picture` cropped to fill the canvas, or the built-in picture.

    Raises Unavailable when `picture` cannot be read as a picture.
    """
    if picture is None:
        return np.asarray(_built_in(width, height), np.uint8).copy()
    try:
        with Image.open(picture) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise Unavailable(
            f"air.slate: cannot read {picture} as a picture ({error}); give a PNG or JPEG file, or leave air.slate out"
        ) from error
    return np.asarray(ImageOps.fit(upright, (width, height)), np.uint8).copy()


def _built_in(width: int, height: int) -> Image.Image:
    down = np.linspace(0, 1, height)[:, None, None]  # 0 at the top, 1 at the bottom
    rows = np.asarray(_TOP) * (1 - down) + np.asarray(_BOTTOM) * down
    slate = Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))
    font = ImageFont.load_default(size=max(10, height // 16))
    ImageDraw.Draw(slate).text((width / 2, height / 2), _TEXT, fill=_INK, font=font, anchor="mm")
    return slate
