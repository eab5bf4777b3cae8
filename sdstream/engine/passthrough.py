"""The engine that changes nothing: for trying, measuring and testing the rest of a run."""

from pathlib import Path
from typing import Self

from sdstream.config.engine import PassthroughSettings
from sdstream.controls import Controls
from sdstream.engine import DuePrompt, Restyled
from sdstream.engine.size import Size
from sdstream.frame import Frame


class Passthrough:
    """Gives each frame back as the frame came."""

    def __init__(
        self, settings: PassthroughSettings | None = None, canvas: Size = (1, 1), cache: Path | None = None
    ) -> None:
        """Take the arguments of every engine, and use none."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, frame: Frame, controls: Controls) -> Restyled:
        """Return `frame` untouched."""
        return Restyled.of(frame, frame.pixels, frame.pixels, controls, DuePrompt(controls.prompt))
