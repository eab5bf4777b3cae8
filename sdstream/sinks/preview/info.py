"""The contents of the preview page besides the picture: the camera picture, the rung, the controls."""

from collections.abc import Callable
from dataclasses import dataclass

from sdstream.controls import Controls
from sdstream.frame import Frame
from sdstream.ipc.loading import LOADED, Loading


def _no_camera() -> Frame | None:
    return None


def _slate() -> str:
    return "slate"


def _loaded() -> Loading:
    return LOADED


@dataclass(frozen=True, slots=True)
class PreviewInfo:
    """Callables for the page, valid during `send`; the defaults describe a run before the first picture."""

    camera: Callable[[], Frame | None] = _no_camera
    """The newest camera picture, untouched, valid until `send` returns; None before the first picture."""
    showing: Callable[[], str] = _slate
    """The rung of the fallback ladder, or the override, of the present picture."""
    controls: Callable[[], Controls] = Controls
    """The present controls."""
    loading: Callable[[], Loading] = _loaded
    """How far the engine's loading has come."""
    restyles: bool = True
    """Whether the engine changes the picture; else even a live picture is the camera's."""
    looks: tuple[str, ...] = ()
    """Names of the looks that the model knows; empty for a model that may know any word."""
