"""The image-to-image stage: a camera frame goes in, a restyled frame comes out.

Start reading at `Engine`, the protocol of all engines. `registry` opens the engine of a configuration; `diffusion` is
StreamDiffusion's engine, and `passthrough` is the engine without a model.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol, Self

from sdstream.controls import Controls, Prompt
from sdstream.frame import Frame, Pixels


class Outcome(Enum):
    """The result of a call of an engine."""

    RENDERED = "rendered"
    """A new picture came out."""
    FILLING = "filling"
    """No picture yet: the batch is not full, at the start or after a change of the number of steps."""
    SKIPPED = "skipped"
    """The frame due now was skipped as still, so the last picture comes out again."""


@dataclass(frozen=True, slots=True)
class DuePrompt:
    """The prompt of a frame."""

    prompt: Prompt
    """The prompt due by the controls and the cues."""
    fade: float | None = None
    """How far the fade to this prompt had come, 0 to 1; None when no fade was running."""
    cues_since: float | None = None
    """Monotonic seconds from which the cues count; None for controls without cues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restyled(Frame):
    """A finished frame: the restyled picture, with `seq` and times of the camera frame.

    The pixels may have any size. The pixels are for reading only, and valid until the next call of the engine.
    """

    camera: Pixels
    """The camera picture of this frame, at the size of `pixels`; empty for a skipped frame, and for controls without a
    region and without steadiness, which alone read the camera picture."""
    controls: Controls
    """The controls in force for this frame."""
    due: DuePrompt
    """The prompt of this frame."""
    outcome: Outcome = Outcome.RENDERED
    """RENDERED, or SKIPPED when `pixels` is the last rendered picture again."""
    preparing: str = ""
    """What the engine compiles beside the picture, in words: a changed control takes effect afterwards."""

    @classmethod
    def of(
        cls, frame: Frame, pixels: Pixels, camera: Pixels, controls: Controls, due: DuePrompt, preparing: str = ""
    ) -> Self:
        """Return `pixels` as the restyled picture of `frame`."""
        return cls(
            pixels, frame.seq, frame.pts, frame.captured, frame.posted,
            camera=camera, controls=controls, due=due, preparing=preparing,
        )  # fmt: skip

    def again(self, last: Pixels) -> Self:
        """Return a skipped frame: this frame with the `last` rendered picture."""
        return replace(self, pixels=last, outcome=Outcome.SKIPPED)


class Engine(Protocol):
    """An image-to-image stage, opened by `with`."""

    def __enter__(self) -> Self:
        """Load the engine. Raises Unavailable when a model or a runtime is missing or broken."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Free memory and devices; closing twice is harmless."""
        ...

    def __call__(self, frame: Frame, controls: Controls) -> Restyled | None:
        """Take a camera frame; return a finished frame, maybe from an earlier call, or None while filling."""
        ...
