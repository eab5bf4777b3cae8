"""The slate, the picture of last resort: a file of the user, or a quiet built-in picture."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from sdstream.errors import Unavailable, reason
from sdstream.frame import Pixels

_TOP, _BOTTOM, _INK = (22, 24, 34), (52, 44, 66), (226, 222, 232)  # RGB: a vertical gradient, and the letters
_TEXT = "Back in a moment"
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""Formats of a slate: Pillow reads forty more, few of them ever met, each a decoder for a damaged file to go wrong."""
_LARGEST = 100_000_000
"""Pixels of the largest picture, 400 MB in memory: a slate of 8K has 33 million."""
_DAMAGED = (
    *(OSError, UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning, EOFError),
    *(SyntaxError, ValueError, NotImplementedError, TypeError, LookupError, OverflowError, ArithmeticError),
    *(AttributeError, RuntimeError, MemoryError, AssertionError, struct.error, zlib.error),
)
"""What Pillow's decoders raise about a damaged file: Pillow promises OSError, and damaged files raised the others."""


def make_slate(width: int, height: int, picture: Path | None = None) -> Pixels:
    """Return a slate of canvas size: `picture` cropped to fill the canvas, or the built-in picture.

    Raises Unavailable when `picture` cannot be read as a picture.
    """
    if picture is None:
        return np.asarray(_built_in(width, height), np.uint8).copy()
    try:
        with Image.open(picture, formats=_FORMATS) as opened:
            if opened.width * opened.height > _LARGEST:
                raise ValueError(f"{opened.width}x{opened.height} is more than {_LARGEST // 1_000_000} million pixels")
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except _DAMAGED as error:
        why = reason(error) if isinstance(error, OSError | ValueError) else f"the file is damaged: {reason(error)}"
        raise Unavailable(
            f"air.slate: cannot read {picture} as a picture ({why}); give a PNG or JPEG file, or leave air.slate out"
        ) from error
    return np.asarray(ImageOps.fit(upright, (width, height)), np.uint8).copy()


def _built_in(width: int, height: int) -> Image.Image:
    down = np.linspace(0, 1, height)[:, None, None]  # 0 at the top, 1 at the bottom
    rows = np.asarray(_TOP) * (1 - down) + np.asarray(_BOTTOM) * down
    slate = Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))
    font = ImageFont.load_default(size=max(10, height // 16))
    ImageDraw.Draw(slate).text((width / 2, height / 2), _TEXT, fill=_INK, font=font, anchor="mm")
    return slate
