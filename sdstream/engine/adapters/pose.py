"""Draws the pose of a person in the colours of OpenPose, from maps of the points of the body."""

import cv2
import numpy as np
import numpy.typing as npt

from sdstream.frame import Pixels

FROM_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's points (nose, neck, right shoulder, …) by COCO's numbers; the neck lies between the shoulders."""

LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
"""Pairs of points joined by a limb (OpenPose, model COCO)."""

COLOURS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip
"""RGB of each point, and of each limb with darker by 0.6 (OpenPose)."""

SURE = 0.3
"""Least height of a map's peak for a point to count."""

Point = tuple[float, float]


def draw_pose(maps: npt.NDArray[np.float32], size: tuple[int, int]) -> Pixels:
    """Draw one person on black, in a picture of `size` (height, width), from maps (points, h, w) with peaks up to 1.

    17 points are COCO's, 18 points are OpenPose's.
    """
    points = [_peak(heat, size) for heat in maps]
    if len(points) == 17:
        left, right = points[5], points[6]
        neck = None if left is None or right is None else ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
        points = [neck if index is None else points[index] for index in FROM_COCO]
    canvas = np.zeros((*size, 3), np.uint8)
    width = max(1, round(min(size) / 128))
    for (first, second), colour in zip(LIMBS, COLOURS, strict=False):
        start, end = points[first], points[second]
        if start is not None and end is not None:
            dark = tuple(int(channel * 0.6) for channel in colour)
            cv2.line(canvas, _whole(start), _whole(end), dark, 2 * width, cv2.LINE_AA)
    for point, colour in zip(points, COLOURS, strict=True):
        if point is not None:
            cv2.circle(canvas, _whole(point), width, colour, -1, cv2.LINE_AA)
    return canvas


def _peak(heat: npt.NDArray[np.float32], size: tuple[int, int]) -> Point | None:
    """Return (x, y) of the highest place in pixels; None below SURE."""
    place = int(heat.argmax())
    row, column = divmod(place, heat.shape[1])
    if heat[row, column] < SURE:
        return None
    return (column + 0.5) * size[1] / heat.shape[1], (row + 0.5) * size[0] / heat.shape[0]


def _whole(point: Point) -> tuple[int, int]:
    return int(point[0]), int(point[1])
