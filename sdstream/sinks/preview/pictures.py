"""The pictures of a preview, as JPEG: made when somebody asks, and once for all who do."""

from collections import deque
from typing import Literal, get_args

import cv2
import numpy as np

from sdstream.config.schema import Canvas
from sdstream.errors import Bug
from sdstream.frame import Frame, Pixels

View = Literal["show", "camera", "pair"]
"""What was sent, the camera picture that it was made from, or both side by side."""
VIEWS: tuple[View, ...] = get_args(View)

_QUALITY = 82
_REMEMBERED = 48
"""Camera pictures. An engine takes a while; at 30 a second the one that it worked on is found for 1.6 s."""


class Pictures:
    """Holds the pictures of one tick, and small copies of the last camera pictures."""

    def __init__(self, canvas: Canvas, width: int) -> None:
        """Pictures get at most `width` pixels wide."""
        share = min(1.0, width / canvas.width)
        self._size = max(1, round(canvas.width * share)), max(1, round(canvas.height * share))
        self._cameras: deque[tuple[float, Pixels]] = deque(maxlen=_REMEMBERED)
        self._show: Frame | None = None
        self._camera: Frame | None = None
        self._made: dict[View, bytes] = {}

    def turn(self, show: Frame, camera: Frame | None, *, remember: bool) -> None:
        """Take what this tick has; the frames are read until the next call. `remember`: somebody watches."""
        self._show, self._camera = show, camera
        self._made.clear()
        if not remember:
            self._cameras.clear()
        elif camera is not None and (not self._cameras or self._cameras[-1][0] != camera.captured):
            self._cameras.append((camera.captured, self._small(camera.pixels, copy=True)))

    def jpeg(self, view: View) -> bytes | None:
        """Return one view of this tick; None while there is no camera picture to show."""
        if view not in self._made:
            pixels = self._pixels(view)
            if pixels is None:
                return None
            self._made[view] = _encoded(pixels)
        return self._made[view]

    def _pixels(self, view: View) -> Pixels | None:
        if self._show is None:
            return None
        if view == "show":
            return self._small(self._show.pixels)
        camera = self._before(self._show)
        if camera is None or view == "camera":
            return camera
        return np.concatenate([camera, self._small(self._show.pixels)], axis=1)

    def _before(self, show: Frame) -> Pixels | None:
        """Return the camera picture that `show` was made from, or the nearest that is left; for a slate the newest."""
        if self._cameras and show.captured:
            return min(self._cameras, key=lambda pair: abs(pair[0] - show.captured))[1]
        return None if self._camera is None else self._small(self._camera.pixels)

    def _small(self, pixels: Pixels, *, copy: bool = False) -> Pixels:
        if pixels.shape[1::-1] == self._size:
            return pixels.copy() if copy else pixels
        return np.asarray(cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA), np.uint8)


def _encoded(pixels: Pixels) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise Bug(f"OpenCV makes no JPEG of a picture of {pixels.shape}")
    return data.tobytes()
