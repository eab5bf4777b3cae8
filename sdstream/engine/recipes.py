"""Turns controls into the recipe of an entering frame; an unchanged recipe is the same object."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor

from sdstream.controls import Blend, Controls, Prompt
from sdstream.engine import DuePrompt
from sdstream.engine.conditioning.condition import Condition, Embedding, ImagePrompt
from sdstream.engine.conditioning.cues import Crossfade, due
from sdstream.engine.conditioning.text_encoder import TextEncoder
from sdstream.engine.denoising.coefficients import Sampling
from sdstream.engine.denoising.guidance import RowGuidance
from sdstream.engine.denoising.noise import NoiseCache, mix_noise
from sdstream.engine.denoising.schedule import NoiseTable, Schedule
from sdstream.engine.denoising.stream_batch import Recipe


class Recipes:
    """Keeps the crossfades of prompt and seed, and the last recipe."""

    def __init__(
        self,
        table: NoiseTable,
        text: TextEncoder,
        noise: NoiseCache,
        controlnets: Sequence[str] = (),
        loras: Sequence[str] = (),
        ip_adapters: Sequence[str] = (),
    ) -> None:
        """`controlnets`, `loras` and `ip_adapters` are the names in the controls, in the order of the condition."""
        self._controlnets = controlnets
        self._loras = loras
        self._ip_adapters = ip_adapters
        self._table = table
        self._text = text
        self._noise = noise
        self._prompt_fade: Crossfade[Embedding] = Crossfade()
        self._seed_fade: Crossfade[Tensor] = Crossfade()
        self._controls: Controls | None = None
        self._since = 0.0
        self._prompt: Prompt | None = None
        self._blend: Blend | None = None
        self._target: Embedding | None = None
        self._last: Recipe[Condition] | None = None
        self._pictured: tuple[Recipe[Condition], Recipe[Condition]] | None = None

    def at(self, now: float, controls: Controls) -> tuple[Recipe[Condition], DuePrompt]:
        """Return the recipe of a frame entering at `now` (seconds), and the prompt of the recipe."""
        if self._controls is not controls:
            self._adopt(now, controls)
        prompt, seconds = due(controls, now - self._since)
        condition = self._condition(now, controls, prompt, seconds)
        recipe = Recipe(self._sampling(now, controls), condition, controls.cross_frame_attention)
        if self._last is None or recipe != self._last:
            self._last = recipe
        return self._last, DuePrompt(prompt, self._prompt_fade.share, self._since if controls.cues else None)

    def with_images(self, recipe: Recipe[Condition], images: tuple[ImagePrompt, ...]) -> Recipe[Condition]:
        """Return a recipe of `at` with the pictures of the IP-Adapters."""
        if not images:
            return recipe
        old = self._pictured
        if old is not None and old[0] is recipe and old[1].condition.images is images:
            return old[1]
        pictured = replace(recipe, condition=replace(recipe.condition, images=images))
        self._pictured = recipe, pictured
        return pictured

    @staticmethod
    def guidance(controls: Controls) -> RowGuidance:
        """Return the guidance of a frame with these controls."""
        return RowGuidance(controls.guidance.mode, controls.guidance.scale, controls.guidance.delta)

    def _adopt(self, now: float, controls: Controls) -> None:
        old = self._controls
        if old is None or old.cues != controls.cues or old.prompt != controls.prompt:
            self._since = now  # a change of any further control leaves the clock of the cues alone
        if old is not None and len(old.steps) != len(controls.steps):
            self._seed_fade.restart()
        self._controls = controls

    def _condition(self, now: float, controls: Controls, prompt: Prompt, seconds: float) -> Condition:
        target = self._text.encode(prompt, controls.blend)
        if target is not self._target and prompt == self._prompt and controls.blend != self._blend:
            seconds = 0.0  # a change of `blend` alone is no new prompt, and does not fade
        self._prompt, self._blend, self._target = prompt, controls.blend, target
        blended = partial(self._text.mix, blend=controls.blend)
        positive = self._prompt_fade.at(now, target, seconds, blended)
        negative = self._text.encode_negative(controls.negative_prompt)
        if self.guidance(controls).needs_negative(0):
            positive, negative = self._text.level([positive, negative])
        condition = Condition(
            positive=positive,
            negative=negative,
            scales=tuple(controls.controlnets.get(name, 1.0) for name in self._controlnets),
            distilled=controls.guidance.distilled,
            loras=tuple(controls.loras.get(name, 0.0) for name in self._loras),
            image_scales=tuple(controls.ip_adapters.get(name, 1.0) for name in self._ip_adapters),
        )
        last = self._last
        return last.condition if last is not None and last.condition == condition else condition

    def _sampling(self, now: float, controls: Controls) -> Sampling:
        def blended(parts: Sequence[tuple[Tensor, float]]) -> Tensor:
            return mix_noise(parts, controls.seed_blend)

        target = self._noise.mix(controls.seed, controls.seed_blend, len(controls.steps))
        sampling = Sampling(
            schedule=Schedule.of(self._table, controls.steps),
            guidance=self.guidance(controls),
            noise=self._seed_fade.at(now, target, controls.transition, blended),
            renoise=controls.renoise,
        )
        last = self._last
        return last.sampling if last is not None and last.sampling == sampling else sampling
