"""The engine that changes nothing: everything else of a run can be tried, measured and tested with it."""

from typing import Self

from sdstream.controls import Controls
from sdstream.engine import Outcome
from sdstream.frame import Pixels


class Passthrough:
    """Gives each picture back as it came."""

    last_outcome = Outcome.RENDERED
    last_age = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, frame: Pixels, controls: Controls) -> Pixels:  # noqa: ARG002 - the protocol's signature
        """Return `frame`."""
        return frame
