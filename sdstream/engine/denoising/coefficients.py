"""The coefficients of a U-Net call (the x̂0 equation), on the device.

A guidance slider or a fade of the seed changes numbers with every frame: the numbers are written into the same memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sdstream.engine.bounded_cache import BoundedCache
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


Live = Sequence[tuple[int, Sampling]]
"""(stage, sampling) of the frames of a call, in order of stage."""


@dataclass(frozen=True)
class _Layout:
    """Everything about a call that decides the shapes of the coefficients."""

    stages: tuple[int, ...]
    moving: int
    """Frames before the last stage."""
    negatives: tuple[int, ...]
    """Indices of the frames with negative rows."""
    guided: bool
    drifting: bool
    whole: bool
    """Whether all timesteps are whole numbers."""

    @classmethod
    def of(cls, live: Live) -> "_Layout":
        schedules = [sampling.schedule for _, sampling in live]
        return cls(
            stages=tuple(stage for stage, _ in live),
            moving=len(_moving(live)),
            negatives=tuple(i for i, (stage, sampling) in enumerate(live) if sampling.guidance.needs_negative(stage)),
            guided=any(sampling.guidance.active for _, sampling in live),
            drifting=any(way_on(stage, sampling.schedule)[1] != 0 for stage, sampling in _moving(live)),
            whole=all(isinstance(t, int) for schedule in schedules for t in schedule.timesteps),
        )


class CoefficientBuffers:
    """Coefficients on the device, in memory of its own for each layout of a call."""

    def __init__(self, frames: int, cache_size: int) -> None:
        """`frames` is the number of rows for each frame in flight."""
        self._frames = frames
        self._buffers: BoundedCache[_Layout, _Buffer] = BoundedCache(cache_size)
        self._last: _Buffer | None = None

    def of(self, live: Live) -> Coefficients:
        """Return the coefficients of a call, valid until the next call of `of`."""
        if self._last is None or not self._last.holds(live):
            layout = _Layout.of(live)
            self._last = self._buffers.get(layout, lambda: _Buffer(layout, self._frames, live[0][1].noise))
        return self._last.of(live)

    def clear(self) -> None:
        """Forget all coefficients."""
        self._buffers.clear()
        self._last = None

    def __len__(self) -> int:
        return len(self._buffers)


class _Buffer:
    """The coefficients of a layout."""

    def __init__(self, layout: _Layout, frames: int, noise: Tensor) -> None:
        """`noise` [n, c, h, w] gives shape and device."""
        device, count = noise.device, len(layout.stages)
        negatives, moving = len(layout.negatives), layout.moving
        self._layout, self._frames = layout, frames
        self._live: list[tuple[int, Sampling]] = []
        sizes = [count, count, count if layout.guided else 0, negatives, negatives, moving]
        sizes.append(moving if layout.drifting else 0)
        self._numbers = torch.empty(sum(sizes) * frames, dtype=torch.float32, device=device)
        parts = [part.view(-1, 1, 1, 1) for part in torch.split(self._numbers, [size * frames for size in sizes])]
        self._noise = noise.new_empty(moving, frames, *noise.shape[1:])  # [moving, F, c, h, w]
        self._use = Coefficients(
            rows=_span(layout.stages, frames, device),
            next_rows=_span([stage + 1 for stage in layout.stages[:moving]], frames, device),
            timesteps=torch.empty(
                (count + negatives) * frames, dtype=torch.int64 if layout.whole else torch.float32, device=device
            ),
            x_weight=parts[0],
            output_weight=parts[1],
            ref_weight=parts[2] if layout.guided else None,
            negatives=_span(layout.negatives, frames, device) if negatives else None,
            negative_stages=layout.negatives,
            negative_x_weight=parts[3],
            negative_output_weight=parts[4],
            next_signal=parts[5],
            next_drift=parts[6] if layout.drifting else None,
            next_noise=self._noise.flatten(0, 1),
            end=(1.0, 0.0),
        )

    def holds(self, live: Live) -> bool:
        """Return whether the numbers are those of `live`."""
        return self._live == list(live)

    def of(self, live: Live) -> Coefficients:
        """Return the coefficients of `live`, which has the layout of this buffer."""
        if not self.holds(live):
            self._write_numbers(live)
            self._write_noise(live)
            ending = live[-1] if self._layout.moving < len(live) else None
            self._use = replace(self._use, end=way_on(ending[0], ending[1].schedule) if ending else (1.0, 0.0))
            self._live = list(live)
        return self._use

    def _write_numbers(self, live: Live) -> None:
        layout = self._layout
        x_weight, output_weight, ref_weight = zip(
            *(clean_weights(stage, sampling) for stage, sampling in live), strict=True
        )
        clean = [live[i][1].schedule.clean(live[i][0]) for i in layout.negatives]
        ways = [way_on(stage, sampling.schedule) for stage, sampling in _moving(live)]
        columns: list[Sequence[float]] = [x_weight, output_weight, ref_weight if layout.guided else ()]
        columns += [[p for p, _ in clean], [q for _, q in clean], [signal for signal, _ in ways]]
        columns.append([drift for _, drift in ways] if layout.drifting else ())
        self._copy(self._numbers, [number for column in columns for number in column])
        times = [sampling.schedule.timesteps[stage] for stage, sampling in live]
        self._copy(self._use.timesteps, [*times, *(times[i] for i in layout.negatives)])

    def _copy(self, target: Tensor, numbers: Sequence[float]) -> None:
        """Write numbers for each frame into F rows each, without waiting for the device."""
        pinned = target.device.type == "cuda"
        source = torch.tensor(numbers, dtype=target.dtype).repeat_interleave(self._frames)
        target.copy_(source.pin_memory() if pinned else source, non_blocking=pinned)

    def _write_noise(self, live: Live) -> None:
        """Write the fresh noise of each moving frame; the F rows of a frame share the same ε."""
        before = [fresh_noise(*pair) for pair in _moving(self._live)]
        for i, pair in enumerate(_moving(live)):
            noise, scale = fresh_noise(*pair)
            if not before or before[i][0] is not noise or before[i][1] != scale:
                self._noise[i].copy_(noise[pair[0] + 1]).mul_(scale)  # [F, c, h, w]


def _moving(live: Live) -> Live:
    """Return the frames before the last stage."""
    return [(stage, sampling) for stage, sampling in live if stage + 1 < len(sampling.schedule)]


def fresh_noise(stage: int, sampling: Sampling) -> tuple[Tensor, float]:
    """Return the cached noise and the scale of the noise on the way from `stage` to the next."""
    return sampling.noise, sampling.schedule.moves[stage].fresh if sampling.renoise else 0.0


def clean_weights(stage: int, sampling: Sampling) -> tuple[float, float, float]:
    """Return the weights of x, output and ref in x̂0 for a row at `stage`."""
    schedule = sampling.schedule
    p, q = schedule.clean(stage)
    prompt, ref, x = sampling.guidance.weights(schedule.a[stage])
    c_out, c_skip = schedule.c_out[stage], schedule.c_skip[stage]
    return c_out * (prompt * p + x) + c_skip, c_out * prompt * q, c_out * ref


def way_on(stage: int, schedule: Schedule) -> tuple[float, float]:
    """Return the weights of x̂0 and x in the x after `stage`: the direction e is (x - a x̂0) / b."""
    move, a, b = schedule.moves[stage], schedule.a[stage], schedule.b[stage]
    drift = move.direction / b if b > 0 else 0.0
    return move.clean - drift * a, drift


def _span(stages: Sequence[int], frames: int, device: torch.device) -> slice | Tensor:
    """Return the indices of the rows of `stages`: a slice for stages side by side, because a slice copies nothing."""
    if not stages:
        return slice(0, 0)
    if stages[-1] - stages[0] + 1 == len(stages):
        return slice(stages[0] * frames, (stages[-1] + 1) * frames)
    return torch.tensor([stage * frames + f for stage in stages for f in range(frames)], device=device)  # [len * F]
