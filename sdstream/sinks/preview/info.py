"""What the preview page shows besides the picture: the camera's picture, the rung of the ladder, the controls."""

from collections.abc import Callable
from dataclasses import dataclass

from sdstream.controls import Controls
from sdstream.frame import Frame


def _no_camera() -> Frame | None:
    return None


def _slate() -> str:
    return "slate"


@dataclass(frozen=True, slots=True)
class PreviewInfo:
    """What the page may ask for during `send`; by default, a show that has not begun."""

    camera: Callable[[], Frame | None] = _no_camera
    """The newest camera picture, untouched, valid until `send` returns; None before the first one."""
    showing: Callable[[], str] = _slate
    """The rung of the ladder, or the override, that the picture is from."""
    controls: Callable[[], Controls] = Controls
    """What the engine was last asked for."""
