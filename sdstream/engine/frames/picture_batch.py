"""The protocol of the frames in flight: a camera picture goes in, a restyled picture comes out some calls later."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from torch import Tensor

from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Recipe
from sdstream.frame import Pixels

L = TypeVar("L")
"""The luggage of a frame; handed back with the picture."""


@dataclass(frozen=True)
class Finished(Generic[L]):
    """The result of an earlier call of `push` or `skip`, after the last denoising stage."""

    picture: Callable[[], Pixels] | None
    """Waits for the restyled picture and returns the picture, for reading only and valid until the next call of the
    batch but one; None for a skip."""
    luggage: L
    """The luggage of the earlier call."""


class PictureBatch(Protocol[L]):
    """The frames in flight of a session; a call a frame."""

    def push(
        self, camera: Pixels, recipe: Recipe[Condition], luggage: L, *, hint: Tensor | None = None, cut: bool = False
    ) -> Finished[L] | None:
        """Take in a picture of the engine's size; return the result of stages - 1 calls ago, or None while filling.

        `camera` is read before `push` returns. `hint` [1, nets, 3, H, W]; `cut` starts a new scene with this picture.
        """
        ...

    def skip(self, luggage: L) -> Finished[L] | None:
        """Move the frames in flight a stage on, followed by a gap; return as `push` does."""
        ...

    def flush(self) -> list[Finished[L]]:
        """Finish every call in flight, oldest first; afterwards the batch is empty."""
        ...

    def reset(self) -> None:
        """Forget the frames in flight."""
        ...
