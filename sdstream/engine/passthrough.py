"""The engine that changes nothing: everything else of a run can be tried, measured and tested with it."""

from typing import Self

from sdstream.controls import Controls
from sdstream.frame import Frame


class Passthrough:
    """Gives each frame back as it came."""

    skipped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, frame: Frame, controls: Controls) -> Frame:  # noqa: ARG002 - the protocol's signature
        """Return `frame`."""
        return frame
