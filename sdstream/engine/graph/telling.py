"""Tells the tables what each row's frame entered with: small copies, a row at a time, as frames move on."""

from typing import TypeVar

import torch
from torch import Tensor

from sdstream.engine.adapters.lora import Loras, Weights
from sdstream.engine.bounded_cache import BoundedCache
from sdstream.engine.conditioning.condition import Condition, Embedding
from sdstream.engine.denoising.coefficients import Sampling
from sdstream.engine.denoising.row_numbers import RowNumbers, noise_scale, row_numbers
from sdstream.engine.denoising.stream_batch import InFlight, Live
from sdstream.engine.graph.shape import Shape
from sdstream.engine.graph.tables import Tables
from sdstream.engine.graph.unet import Projections

L = TypeVar("L")

TimeKey = tuple[float, Embedding | None, float, Weights]
"""Timestep, prompt where the time depends on the prompt (SDXL), guidance scale of LCM, LoRA weights."""

PromptKey = tuple[Embedding, Weights]

KEPT = 8
"""Prompts whose keys and values stay on the device beside the prompts in flight."""


class Teller:
    """Writes the tables for the next frame. A row with unchanged contents costs nothing."""

    def __init__(self, tables: Tables, projections: Projections, loras: Loras) -> None:
        stages = len(tables.x)
        self._tables, self._projections, self._loras = tables, projections, loras
        self._samplings: list[Sampling | None] = [None] * stages
        self._numbers: list[RowNumbers[float] | None] = [None] * stages
        self._times: list[TimeKey | None] = [None] * (2 * stages)
        self._prompts: dict[int, list[PromptKey | None]] = {}
        self._projected: BoundedCache[PromptKey, Tensor] = BoundedCache(2 * stages + KEPT)  # [tokens, columns] each
        self._timed: BoundedCache[TimeKey, Tensor] = BoundedCache(8 * stages)  # [columns] each

    def tell(self, live: Live[Condition, L], shape: Shape) -> None:
        """Write what the frames `live` need in a call of `shape`; rows without a frame keep what they have."""
        weights = [entry.recipe.condition.loras for _, entry in live]
        self._loras.fuse_if_uniform(weights)
        self._loras.set_rows(weights)
        self._tell_samplings(live)
        for stage, entry in live:
            self._tell_row(stage, stage, entry, entry.recipe.condition.positive, shape)
            if entry.recipe.sampling.guidance.needs_negative(stage):
                self._tell_row(shape.stages + stage, stage, entry, entry.recipe.condition.negative, shape)

    def forget(self) -> None:
        """Write every row of the next frame anew."""
        self._samplings = [None] * len(self._samplings)
        self._times = [None] * len(self._times)
        self._prompts.clear()
        self._projected.clear()
        self._timed.clear()

    def _tell_samplings(self, live: Live[Condition, L]) -> None:
        changed = [(stage, entry.recipe.sampling) for stage, entry in live if self._changed(stage, entry)]
        for stage, sampling in changed:
            if stage == 0:
                self._tables.enter.copy_(sampling.noise[:1])  # [1, c, h, w]
            if stage + 1 < len(sampling.schedule):
                scale = noise_scale(stage, sampling)
                torch.mul(sampling.noise[stage + 1], scale, out=self._tables.onward[stage])  # [c, h, w]
            self._samplings[stage] = sampling
        numbers = [None if old is None else row_numbers(i, old) for i, old in enumerate(self._samplings)]
        if changed and numbers != self._numbers:
            self._numbers = numbers
            empty = [0.0] * self._tables.numbers.shape[1]
            _write(self._tables.numbers, [empty if row is None else list(row) for row in numbers])

    def _changed(self, stage: int, entry: InFlight[Condition, L]) -> bool:
        return self._samplings[stage] != entry.recipe.sampling

    def _tell_row(
        self, row: int, stage: int, entry: InFlight[Condition, L], embedding: Embedding, shape: Shape
    ) -> None:
        condition = entry.recipe.condition
        timestep = entry.recipe.sampling.schedule.timesteps[stage]
        pooled = None if embedding.pooled is None else embedding
        time = timestep, pooled, condition.distilled, condition.loras
        if self._times[row] != time:
            self._tables.time[row].copy_(self._timed.get(time, lambda: self._time(timestep, embedding, condition)))
            self._times[row] = time
        told = self._prompts.setdefault(shape.stretches, [None] * len(self._times))
        prompt = embedding, condition.loras
        if told[row] != prompt:
            projected = self._projected.get(prompt, lambda: self._projections.prompt(embedding))  # [tokens, columns]
            table = self._tables.prompts(shape.stretches)[row]  # [longest tokens, columns]
            table.view(-1, *projected.shape).copy_(projected)
            told[row] = prompt

    def _time(self, timestep: float, embedding: Embedding, condition: Condition) -> Tensor:
        whole = isinstance(timestep, int)
        on_device = torch.empty(1, dtype=torch.int64 if whole else torch.float32, device=self._tables.x.device)
        _write(on_device, [timestep])
        return self._projections.time(on_device, embedding, condition.distilled)


def _write(target: Tensor, numbers: list[list[float]] | list[float]) -> None:
    """Write numbers into a tensor on the device, without waiting for the device."""
    pinned = target.device.type == "cuda"
    source = torch.tensor(numbers, dtype=target.dtype)
    target.copy_(source.pin_memory() if pinned else source, non_blocking=pinned)
