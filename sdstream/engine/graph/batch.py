"""The frames in flight of a session, as recorded frames; a frame without a shape runs by separate networks.

Both ways work on the same rows of Stream Batch: a frame may go the one way at a stage, and the other way at the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic

import numpy as np
from torch import Tensor

from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Live, Recipe, StreamBatch
from sdstream.engine.frames.latent_batch import Coder
from sdstream.engine.frames.picture_batch import Finished, L
from sdstream.engine.graph.capture import Step
from sdstream.engine.graph.shape import Shape, shape_of
from sdstream.engine.graph.streams import Conveyor, Picture
from sdstream.engine.graph.telling import Teller
from sdstream.engine.size import Size
from sdstream.frame import Pixels


@dataclass(frozen=True)
class Recorded:
    """What a frame with a shape needs."""

    steps: Callable[[Shape], Step]
    """Returns the step of a shape; the first call for a shape records the step."""
    teller: Teller
    conveyor: Conveyor
    size: Size
    """(width, height) of the pictures, in pixels."""
    stretch: int
    """Tokens in a stretch of a prompt."""


class GraphBatch(Generic[L]):
    """A `PictureBatch`. Rows without a frame are computed too, and never shown."""

    def __init__(
        self,
        stages: int,
        latents: StreamBatch[Condition, L],
        autoencoder: Coder,
        recorded: Recorded,
        *,
        from_camera: bool,
    ) -> None:
        """`latents` and `autoencoder` run the frames without a shape; `recorded` works on the rows of `latents`."""
        self._stages, self._latents, self._autoencoder, self._recorded = stages, latents, autoencoder, recorded
        self._from_camera = from_camera

    def push(
        self, camera: Pixels, recipe: Recipe[Condition], luggage: L, *, hint: Tensor | None = None, cut: bool = False
    ) -> Finished[L] | None:
        """See `PictureBatch`; there are no ControlNets, and so `hint` is None."""
        del hint
        live = self._latents.enter(recipe, luggage, cut=cut)
        return self._move_on(live, camera)

    def skip(self, luggage: L) -> Finished[L] | None:
        """See `PictureBatch`."""
        return self._move_on(self._latents.enter_gap(luggage), None)

    def flush(self) -> list[Finished[L]]:
        """See `PictureBatch`."""
        steps = [self._landed(self._move_on(self._latents.enter_nothing(), None)) for _ in range(self._stages - 1)]
        return [finished for finished in steps if finished is not None]

    def reset(self) -> None:
        """See `PictureBatch`."""
        self._latents.reset()

    def forget(self) -> None:
        """Forget what was projected for prompts and steps, for measuring the gain."""
        self._recorded.teller.forget()

    def _move_on(self, live: Live[Condition, L], camera: Pixels | None) -> Finished[L] | None:
        picture = self._compute(live, camera) if live else None
        done = self._latents.move_on(None)
        return None if done is None else Finished(picture, done.luggage)

    def _compute(self, live: Live[Condition, L], camera: Pixels | None) -> Picture | None:
        """Compute a frame; return the picture of the last stage, or None when the last stage is not live."""
        recorded = self._recorded
        shape = shape_of(live, self._stages, recorded.size, recorded.stretch)
        if shape is None:
            return self._compute_apart(live, camera)
        step = recorded.steps(shape)
        recorded.teller.tell(live, shape)
        wanted = live[-1][0] == self._stages - 1
        return recorded.conveyor(camera if self._from_camera else None, step, wanted=wanted)

    def _compute_apart(self, live: Live[Condition, L], camera: Pixels | None) -> Picture | None:
        """Compute a frame by one network after the other, on the same rows."""
        if camera is not None:
            empty = self._latents.x.new_zeros(1, *self._latents.x.shape[1:])  # [1, c, h, w]
            latent = self._autoencoder.to_latent(camera) if self._from_camera else empty  # [1, c, h, w]
            self._latents.take_in(latent, live[0][1].recipe)
        finished = self._latents.denoise(live)  # [1, c, h, w]
        return None if finished is None else partial(self._autoencoder.to_picture, finished)

    @staticmethod
    def _landed(finished: Finished[L] | None) -> Finished[L] | None:
        """Wait for the picture: the buffers hold two pictures, and a flush may have more."""
        if finished is None or finished.picture is None:
            return finished
        pixels: Pixels = np.array(finished.picture())
        return replace(finished, picture=lambda: pixels)
