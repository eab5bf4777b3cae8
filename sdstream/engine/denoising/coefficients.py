"""The coefficients of a U-Net call (the x̂0 equation), computed once for a set of frames in flight."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdstream.engine.denoising.guidance import RowGuidance
from sdstream.engine.denoising.schedule import Schedule


@dataclass(frozen=True, eq=False)
class Sampling:
    """How a frame is denoised, fixed when the frame enters.

    Two samplings are equal when all numbers are equal and the noise is the same tensor object: `==` on tensors gives a
    tensor.
    """

    schedule: Schedule
    guidance: RowGuidance
    noise: Tensor
    """The cached noise ε of each stage.  # [n, c, h, w]"""
    renoise: bool = True
    """Whether ε_{i+1} is added on the way to stage i+1."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sampling) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Schedule, RowGuidance, int, bool]:
        return self.schedule, self.guidance, id(self.noise), self.renoise


@dataclass(frozen=True, eq=False)
class Coefficients:
    """The coefficients of a U-Net call on R rows (live stages times F frames), followed by N negative rows.

    x̂0 = x_weight x + output_weight output + ref_weight ref. The three numbers of a row hold prediction type, guidance
    (see guidance.py) and the consistency boundary.
    """

    rows: slice | Tensor  # [R]
    """Indices of the R rows in the buffers of all stages."""
    next_rows: slice | Tensor  # [R or R - F]
    """Indices of the unfinished rows in the same buffers after the call, a stage on."""
    timesteps: Tensor  # [R + N]
    x_weight: Tensor  # [R, 1, 1, 1]
    output_weight: Tensor  # [R, 1, 1, 1]
    ref_weight: Tensor | None  # [R, 1, 1, 1]
    """None when no row is guided."""
    negatives: slice | Tensor | None  # [N]
    """Indices into the R rows of the rows with a negative row; None when N = 0."""
    negative_stages: tuple[int, ...]
    """The same rows, as indices into the live stages; N / F numbers."""
    negative_x_weight: Tensor  # [N, 1, 1, 1]
    negative_output_weight: Tensor  # [N, 1, 1, 1]
    next_signal: Tensor  # [R or R - F, 1, 1, 1]
    next_drift: Tensor | None  # [R or R - F, 1, 1, 1]
    """Weight of x in the next x; None where no sampler keeps a part of x."""
    next_noise: Tensor  # [R or R - F, c, h, w]
    end: tuple[float, float]
    """Weights of x̂0 and x in the latent of the last stage; (1, 0) hands out x̂0."""


def make_coefficients(live: Sequence[tuple[int, Sampling]], frames: int) -> Coefficients:
    """Compute the coefficients of the call for `live` (stage, sampling) pairs in order of stage, `frames` rows each."""
    device = live[0][1].noise.device

    def column(numbers: Sequence[float]) -> Tensor:
        values = torch.tensor(numbers, dtype=torch.float32, device=device)  # [len]
        return values.repeat_interleave(frames).view(-1, 1, 1, 1)  # [len * F, 1, 1, 1]

    x_weight, output_weight, ref_weight = zip(*(_weights(stage, sampling) for stage, sampling in live), strict=True)
    negative = tuple(i for i, (stage, sampling) in enumerate(live) if sampling.guidance.needs_negative(stage))
    clean = [live[i][1].schedule.clean(live[i][0]) for i in negative]
    moving = [(stage + 1, sampling) for stage, sampling in live if stage + 1 < len(sampling.schedule)]
    ways = [_way(stage - 1, sampling.schedule) for stage, sampling in moving]
    times = [sampling.schedule.timesteps[stage] for stage, sampling in [*live, *(live[i] for i in negative)]]
    guided = any(sampling.guidance.active for _, sampling in live)
    return Coefficients(
        rows=_span([stage for stage, _ in live], frames, device),
        next_rows=_span([stage for stage, _ in moving], frames, device),
        timesteps=torch.tensor(times, device=device).repeat_interleave(frames),  # [R + N]
        x_weight=column(x_weight),
        output_weight=column(output_weight),
        ref_weight=column(ref_weight) if guided else None,
        negatives=_span(negative, frames, device) if negative else None,
        negative_stages=negative,
        negative_x_weight=column([p for p, _ in clean]),
        negative_output_weight=column([q for _, q in clean]),
        next_signal=column([signal for signal, _ in ways]),
        next_drift=column([drift for _, drift in ways]) if any(drift for _, drift in ways) else None,
        next_noise=_next_noise(moving, frames, live[0][1].noise),
        end=_way(*last) if (last := _ending(live)) else (1.0, 0.0),
    )


def _weights(stage: int, sampling: Sampling) -> tuple[float, float, float]:
    """Return the weights of x, output and ref in x̂0 for a row at `stage`."""
    schedule = sampling.schedule
    p, q = schedule.clean(stage)
    prompt, ref, x = sampling.guidance.weights(schedule.a[stage])
    c_out, c_skip = schedule.c_out[stage], schedule.c_skip[stage]
    return c_out * (prompt * p + x) + c_skip, c_out * prompt * q, c_out * ref


def _way(stage: int, schedule: Schedule) -> tuple[float, float]:
    """Return the weights of x̂0 and x in the x after `stage`: the direction e is (x - a x̂0) / b."""
    move, a, b = schedule.moves[stage], schedule.a[stage], schedule.b[stage]
    drift = move.direction / b if b > 0 else 0.0
    return move.clean - drift * a, drift


def _ending(live: Sequence[tuple[int, Sampling]]) -> tuple[int, Schedule] | None:
    """Return stage and schedule of the row at its last stage; None without such a row."""
    stage, sampling = live[-1]
    return (stage, sampling.schedule) if stage + 1 == len(sampling.schedule) else None


def _next_noise(moving: Sequence[tuple[int, Sampling]], frames: int, like: Tensor) -> Tensor:
    """Return the fresh noise of each moving row; the F frames of a call share the same ε.  # [len * F, c, h, w]"""
    if not moving:
        return like[:0]  # [0, c, h, w]
    scaled = [
        sampling.noise[stage] * (sampling.schedule.moves[stage - 1].fresh if sampling.renoise else 0.0)
        for stage, sampling in moving
    ]
    return torch.stack(scaled).repeat_interleave(frames, dim=0)  # [len * F, c, h, w]


def _span(stages: Sequence[int], frames: int, device: torch.device) -> slice | Tensor:
    """Return the indices of the rows of `stages`: a slice for stages side by side, because a slice copies nothing."""
    if not stages:
        return slice(0, 0)
    if stages[-1] - stages[0] + 1 == len(stages):
        return slice(stages[0] * frames, (stages[-1] + 1) * frames)
    return torch.tensor([stage * frames + f for stage in stages for f in range(frames)], device=device)  # [len * F]
