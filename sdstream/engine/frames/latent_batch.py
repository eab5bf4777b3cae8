"""Pictures through an autoencoder and Stream Batch, one network after the other: for every backend with networks."""

from functools import partial
from typing import Generic, Protocol

from torch import Tensor

from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Done, Recipe, StreamBatch
from sdstream.engine.frames.picture_batch import Finished, L
from sdstream.frame import Pixels


class Coder(Protocol):
    """An autoencoder between pictures in host memory and scaled latents."""

    def to_latent(self, pixels: Pixels) -> Tensor:
        """Encode a picture of the engine's size.  # [1, c, h, w] float32"""
        ...

    def to_picture(self, latent: Tensor) -> Pixels:
        """Decode a latent; the result belongs to the caller."""
        ...


class LatentBatch(Generic[L]):
    """A `PictureBatch` of separate networks; a picture is decoded when somebody asks for the picture."""

    def __init__(self, stream_batch: StreamBatch[Condition, L], autoencoder: Coder, *, from_camera: bool) -> None:
        """Without `from_camera` (txt2img) every frame starts from an empty latent."""
        self.stream_batch = stream_batch
        """The frames in flight, as latents."""
        self._autoencoder = autoencoder
        self._empty = None if from_camera else stream_batch.x.new_zeros(1, *stream_batch.x.shape[1:])  # [1, c, h, w]

    def push(
        self, camera: Pixels, recipe: Recipe[Condition], luggage: L, *, hint: Tensor | None = None, cut: bool = False
    ) -> Finished[L] | None:
        """See `PictureBatch`."""
        latent = self._autoencoder.to_latent(camera) if self._empty is None else self._empty  # [1, c, h, w]
        return self._finished(self.stream_batch.push(latent, recipe, luggage, hint=hint, cut=cut))

    def skip(self, luggage: L) -> Finished[L] | None:
        """See `PictureBatch`."""
        return self._finished(self.stream_batch.skip(luggage))

    def flush(self) -> list[Finished[L]]:
        """See `PictureBatch`."""
        finished = [self._finished(done) for done in self.stream_batch.flush()]
        return [frame for frame in finished if frame is not None]

    def reset(self) -> None:
        """See `PictureBatch`."""
        self.stream_batch.reset()

    def _finished(self, done: Done[L] | None) -> Finished[L] | None:
        if done is None:
            return None
        latent = done.latent
        return Finished(None if latent is None else partial(self._autoencoder.to_picture, latent), done.luggage)
