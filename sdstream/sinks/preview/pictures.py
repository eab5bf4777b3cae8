"""The pictures of a preview as JPEG, encoded on demand, and once for all clients."""

from collections import deque
from typing import Literal, get_args

import cv2
import numpy as np

from sdstream.config.schema import Canvas
from sdstream.errors import Bug
from sdstream.frame import Frame, Pixels

View = Literal["show", "camera", "pair"]
"""The sent picture, the camera picture of the same moment, or both side by side."""
VIEWS: tuple[View, ...] = get_args(View)

_QUALITY = 82
_KEPT = 48
"""Camera pictures kept for pairs: at 30 a second, an engine with up to 1.6 s of latency gets the right pair."""


class Pictures:
    """Holds the pictures of a tick, and small copies of the last camera pictures."""

    def __init__(self, canvas: Canvas, width: int) -> None:
        """Pictures are at most `width` pixels wide."""
        share = min(1.0, width / canvas.width)
        self._size = max(1, round(canvas.width * share)), max(1, round(canvas.height * share))
        self._cameras: deque[tuple[float, Pixels]] = deque(maxlen=_KEPT)
        self._show: Frame | None = None
        self._camera: Frame | None = None
        self._encoded_views: dict[View, bytes] = {}

    def update(self, show: Frame, camera: Frame | None, *, keep: bool) -> None:
        """Take the frames of this tick, valid until the next call; `keep` says whether to keep camera pictures."""
        self._show, self._camera = show, camera
        self._encoded_views.clear()
        if not keep:
            self._cameras.clear()
        elif camera is not None and (not self._cameras or self._cameras[-1][0] != camera.captured):
            self._cameras.append((camera.captured, self._scaled(camera.pixels, copy=True)))

    def jpeg(self, view: View) -> bytes | None:
        """Return a view of this tick; None while the camera picture is missing."""
        if view not in self._encoded_views:
            pixels = self._pixels(view)
            if pixels is None:
                return None
            self._encoded_views[view] = _encoded(pixels)
        return self._encoded_views[view]

    def _pixels(self, view: View) -> Pixels | None:
        if self._show is None:
            return None
        if view == "show":
            return self._scaled(self._show.pixels)
        camera = self._camera_of(self._show)
        if camera is None or view == "camera":
            return camera
        return np.concatenate([camera, self._scaled(self._show.pixels)], axis=1)

    def _camera_of(self, show: Frame) -> Pixels | None:
        """Return the kept camera picture nearest in time to the input of `show`; for a slate the newest picture."""
        if self._cameras and show.captured:
            return min(self._cameras, key=lambda pair: abs(pair[0] - show.captured))[1]
        return None if self._camera is None else self._scaled(self._camera.pixels)

    def _scaled(self, pixels: Pixels, *, copy: bool = False) -> Pixels:
        if pixels.shape[1::-1] == self._size:
            return pixels.copy() if copy else pixels
        return np.asarray(cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(pixels: Pixels) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise Bug(f"OpenCV makes no JPEG of a picture of {pixels.shape}")
    return data.tobytes()
