"""The image-to-image stage: the diffusion engine after StreamDiffusion, and passthrough."""

from enum import Enum
from typing import Protocol, Self

from sdstream.controls import Controls
from sdstream.frame import Pixels


class Outcome(Enum):
    """What became of a call."""

    RENDERED = "rendered"
    """A picture came out."""
    FILLING = "filling"
    """Nothing yet: the batch fills, at start or after a change of the number of steps."""
    SKIPPED = "skipped"
    """The picture due now was skipped as still: show the last one again."""


class Engine(Protocol):
    """An image-to-image stage, opened by `with`."""

    @property
    def last_outcome(self) -> Outcome:
        """What became of the last call."""
        ...

    @property
    def last_age(self) -> int:
        """How many calls ago the frame of the last returned picture came in; 0 is that very call."""
        ...

    def __enter__(self) -> Self:
        """Load it. Raises Unavailable when a model or runtime is missing or broken."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Free it; closing twice is harmless."""
        ...

    def __call__(self, frame: Pixels, controls: Controls) -> Pixels | None:
        """Take one picture; return a finished one of any size (maybe an earlier frame's), or None."""
        ...
