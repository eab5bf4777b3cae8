"""A loaded model at work: takes pictures and controls, keeps the frames in flight."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls, Region, Similarity
from sdstream.engine import Outcome
from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.engine.adapters.lora import Loras
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.conditioning.prompt import Condition
from sdstream.engine.denoising.noise import NoiseCache
from sdstream.engine.denoising.stream_batch import Recipe, StreamBatch
from sdstream.engine.models import Model
from sdstream.engine.networks import make_networks
from sdstream.engine.recipes import Recipes
from sdstream.engine.region import Compose, Regions
from sdstream.engine.similarity import SimilarityFilter
from sdstream.errors import SdstreamError, Unavailable
from sdstream.frame import Pixels
from sdstream.log import get_logger
from sdstream.scaling import fit

log = get_logger()


@dataclass(frozen=True)
class _Entered:
    """A frame in flight, as it came in."""

    call: int
    pixels: Pixels
    region: Region


class Session:
    """One model and one stream of pictures; not for several threads. All calls run in inference mode."""

    def __init__(
        self,
        model: Model,
        settings: DiffusionSettings,
        clock: Callable[[], float],
        compose: Compose | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._shape = self._latent_shape(model, settings)
        self._noise = NoiseCache(self._shape, model.device)
        self._text = model.text
        self._loras = Loras({"unet": model.unet, **model.text.parts}, settings.loras)
        self._controlnets = ControlNets(settings.controlnets, model.unet)
        self._regions = Regions(settings, model.device, compose)
        self._new_recipes = partial(
            Recipes, model.table, model.text, self._noise, self._controlnets.names, self._loras.names
        )
        self._recipes = self._new_recipes()
        self._filter = SimilarityFilter(random.Random(settings.random_seed))  # noqa: S311 - dice, not secrets
        networks = make_networks(model, settings, self._shape, self._controlnets, self._loras)
        self.unet, self.autoencoder, self.dtype = networks.unet, networks.autoencoder, networks.dtype
        self._batch: StreamBatch[Condition] | None = None
        self._controls: Controls | None = None
        self._refused: Controls | None = None
        self._recipe: Recipe[Condition] | None = None
        self._calls = 0
        self._entered: deque[_Entered | None] = deque()
        self.outcome = Outcome.FILLING
        self.age = 0

    def warm_up(self) -> None:
        """Restyle a grey picture and forget it, so that what is wrong with the model shows before going on air."""
        grey = np.full((self._settings.height, self._settings.width, 3), 128, np.uint8)
        for _ in range(2):
            self.call(grey, Controls(similarity=Similarity(mode="off")))
        self.flush()
        self.reset()
        self._controls = self._recipe = None
        self._recipes = self._new_recipes()
        self._calls = self.unet.rows = 0

    def call(self, frame: Pixels, controls: Controls) -> Pixels | None:
        """Take in one picture; see `DiffusionEngine.__call__`."""
        before = self._controls
        last = self._adopt(controls)
        assert self._batch is not None
        assert self._controls is not None
        self._calls += 1
        pixels = fit(frame, self._settings.width, self._settings.height)
        recipe = self._recipes.at(self._clock(), self._controls)
        fresh = recipe is not self._recipe or self._controls is not before or self._settings.task == "txt2img"
        self._recipe = recipe
        if self._filter.skips(pixels, self._controls.similarity, fresh=fresh):
            self._entered.append(None)
            output = self._batch.advance()
        else:
            self._entered.append(_Entered(self._calls, pixels.copy(), self._controls.region))
            hint = self._controlnets.hint(pixels)
            batched = None if hint is None else hint.unsqueeze(0)
            output = self._batch.push(self._latent(pixels), recipe, hint=batched, cut=self._filter.cut)
        return self._conclude(output, last)

    def flush(self) -> list[Pixels]:
        """Finish the frames in flight, oldest first."""
        latents = self._batch.flush() if self._batch else []
        entered = [frame for frame in self._entered if frame is not None]
        self._entered.clear()
        return [self._picture(latent, frame) for latent, frame in zip(latents, entered, strict=True)]

    def reset(self) -> None:
        """Forget the frames in flight and the last picture."""
        if self._batch:
            self._batch.reset()
        self._entered.clear()
        self._filter.reset()
        self.outcome = Outcome.FILLING

    def forget_precomputed(self) -> None:
        """Drop all that is worked out once and kept: prompts, noise, the numbers of a call. For benchmarks."""
        self._text.forget()
        self._noise.forget()
        self.unet.forget_prompts()
        if self._batch:
            self._batch.forget_plans()

    def _picture(self, latent: torch.Tensor, entered: "_Entered") -> Pixels:
        styled = self.autoencoder.to_picture(latent)
        return self._regions.apply(styled, entered.pixels, entered.region)

    def _conclude(self, output: torch.Tensor | None, drained: Pixels | None) -> Pixels | None:
        assert self._controls is not None
        depth = len(self._controls.steps) if self._settings.batching else 1
        full = len(self._entered) >= depth
        entered = self._entered.popleft() if full else None
        if output is not None and entered is not None:
            self.outcome, self.age = Outcome.RENDERED, self._calls - entered.call
            return self._picture(output, entered)
        if drained is not None:
            self.outcome = Outcome.RENDERED
            return drained
        self.outcome = Outcome.SKIPPED if full else Outcome.FILLING
        return None

    def _adopt(self, controls: Controls) -> Pixels | None:
        """Take over new controls; return the last of the frames that had to be drained for them, if any."""
        if controls in (self._controls, self._refused):
            return None
        try:
            self._check(controls)
        except SdstreamError as error:
            if self._controls is None:
                raise
            log.warning("controls refused, the old ones stay", reason=str(error))
            self._refused = controls
            return None
        drained = None
        if self._controls is None or len(controls.steps) != len(self._controls.steps):
            newest = max((frame.call for frame in self._entered if frame is not None), default=0)
            pictures = self.flush()
            if pictures:
                drained, self.age = pictures[-1], self._calls + 1 - newest
            noise = self._noise.draw(0, 1)
            stages = len(controls.steps)
            self._batch = StreamBatch(self.unet, noise, stages=stages, batching=self._settings.batching)
        if self._loras.encode_with(tuple(controls.loras.get(name, 0.0) for name in self._loras.names)):
            self._text.forget()
        self._controls = controls
        return drained

    def _check(self, controls: Controls) -> None:
        self._regions.check(controls.region)
        for what, asked, known in (
            ("loras", controls.loras, self._loras.names),
            ("controlnets", controls.controlnets, self._controlnets.names),
        ):
            for name in asked:
                if name not in known:
                    listed = ", ".join(known) or "none"
                    raise Unavailable(f"controls.{what}: {name!r} cannot be turned; engine.{what} has: {listed}")

    def _latent(self, pixels: Pixels) -> torch.Tensor:
        if self._settings.task == "txt2img":
            return self._noise.draw(0, 1).new_zeros(1, *self._shape)
        return self.autoencoder.to_latent(pixels)

    def _latent_shape(self, model: Model, settings: DiffusionSettings) -> tuple[int, int, int]:
        factor = Autoencoder(model.autoencoder).factor
        if settings.width % factor or settings.height % factor:
            size = f"{settings.width}x{settings.height}"
            raise Unavailable(f"engine size {size}: this model needs sides that are multiples of {factor}")
        return model.channels, settings.height // factor, settings.width // factor
