"""Stream Batch: the next denoising step of every frame in flight, in a single U-Net call (paper section 3.1).

Row i holds the frame of i calls ago, at denoising stage i. Stream Batch knows tensors and a U-Net to call; files,
clocks, prompts and pixels are unknown here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from sdstream.engine.denoising.coefficients import CoefficientBuffers, Coefficients, Sampling
from sdstream.errors import Bug

C = TypeVar("C")
"""The condition of a frame for the U-Net (such as the prompt); Stream Batch never looks inside."""

L = TypeVar("L")
"""The luggage of a frame; Stream Batch hands the luggage back with the result."""


@dataclass(frozen=True)
class Recipe(Generic[C]):
    """The numbers and the condition of a frame until the last stage; new controls give later frames a new recipe."""

    sampling: Sampling
    condition: C
    together: bool = False
    """Cross-frame attention with all frames in flight of the same scene whose recipe has `together` as well."""


@dataclass(frozen=True)
class Row(Generic[C]):
    """A row of the U-Net's batch, beside latent and timestep."""

    condition: C
    negative: bool
    """Whether the row is evaluated with the negative prompt; a negative row takes no part in cross-frame attention."""
    scene: int | None
    """Number of the scene (frames without cut or skip in between). A row attends to all rows with the same number; None
    is a row without cross-frame attention."""
    hint: Tensor | None
    """The ControlNet picture of the row's frame.  # [nets, 3, H, W]"""


UNet = Callable[[Tensor, Tensor, Sequence[Row[C]]], Tensor]
"""(x [rows, c, h, w] float32, timesteps [rows] int64, rows) -> output [rows, c, h, w] float32."""


@dataclass(frozen=True)
class Done(Generic[L]):
    """The result of an earlier call of `push` or `skip`, after the last stage."""

    latent: Tensor | None
    """The denoised latents, float32, [F, c, h, w], in memory of the caller's own; None for a skip."""
    luggage: L
    """The luggage of the earlier call."""


@dataclass(frozen=True)
class InFlight(Generic[C, L]):
    """A frame in the batch."""

    luggage: L
    recipe: Recipe[C]
    hint: Tensor | None  # [F, nets, 3, H, W]
    scene: int
    """Number of the scene, as in `Row`, whether or not the frame takes part in cross-frame attention."""


@dataclass(frozen=True)
class _Gap(Generic[L]):
    luggage: L


Live = list[tuple[int, InFlight[C, L]]]
"""The frames of a call with their denoising stage, in order of stage."""


class StreamBatch(Generic[C, L]):
    """Frames in flight through `stages` denoising stages; `frames` frames enter at a time.

    Without `batching` a frame goes through all stages within `push`, with one U-Net call for each stage (for
    comparison). The daemon's engine takes one frame at a time: docs/developing.md says why, and
    `bench engine --steps 1x4` measures the cost.

    `push`, `skip` and `flush` are made of `enter`, `take_in`, `denoise` and `move_on`. A backend with a U-Net call of
    its own puts the call in place of `take_in` and `denoise`, on the same `x` and `ref`.
    """

    def __init__(self, unet: UNet[C], noise: Tensor, *, stages: int, frames: int = 1, batching: bool = True) -> None:
        """`noise` [..., c, h, w] gives the shape and the device of the latents; no reference to `noise` is kept."""
        self._unet = unet
        self._stages = stages
        self._frames = frames
        self._batching = batching
        self.x = noise.new_zeros(stages * frames, *noise.shape[-3:], dtype=torch.float32)
        """The noisy latents by stage; the rows of a stage without a frame hold anything.  # [n * F, c, h, w]"""
        self.ref = torch.zeros_like(self.x)
        """The guidance references (see `guidance`) by stage.  # [n * F, c, h, w]"""
        self._in_flight: list[InFlight[C, L] | _Gap[L] | None] = [None] * stages  # by denoising stage
        self._scene = 0
        self.coefficients = CoefficientBuffers(frames, 4 * stages)
        """The coefficients of the latest U-Net calls."""

    def push(
        self, latent: Tensor, recipe: Recipe[C], luggage: L, *, hint: Tensor | None = None, cut: bool = False
    ) -> Done[L] | None:
        """Take in `frames` latents; return the result of `stages` - 1 calls ago, or None while the batch fills.

        `latent` is scaled for the U-Net, float32, [F, c, h, w]; `hint` [F, nets, 3, H, W]. `cut` starts a new scene
        with this frame. Raises Bug when the recipe or the latent does not fit this batch.
        """
        live = self.enter(recipe, luggage, hint=hint, cut=cut)
        entry = live[0][1]
        if not self._batching:
            self._in_flight[0] = None
            return Done(self._denoise_alone(entry, *self._mix(latent, recipe)), luggage)
        self.take_in(latent, recipe)
        return self.move_on(self.denoise(live))

    def enter(self, recipe: Recipe[C], luggage: L, *, hint: Tensor | None = None, cut: bool = False) -> Live[C, L]:
        """Put a frame at stage 0, and return the frames of the next call; see `push` for the arguments."""
        schedule = recipe.sampling.schedule
        if len(schedule) != self._stages:
            raise Bug(f"{len(schedule)} steps do not fit a batch of {self._stages} stages")
        self._scene += cut
        return self._place(InFlight(luggage, recipe, hint, self._scene))

    def enter_gap(self, luggage: L) -> Live[C, L]:
        """Put a gap at stage 0, and return the frames of the next call; none may be left."""
        self._scene += 1
        return self._place(_Gap(luggage))

    def enter_nothing(self) -> Live[C, L]:
        """Leave stage 0 empty, and return the frames of the next call: the way to an empty batch."""
        return self._place(None)

    def take_in(self, latent: Tensor, recipe: Recipe[C]) -> None:
        """Write the latent of the frame at stage 0 ([F, c, h, w], scaled for the U-Net) into `x` and `ref`."""
        self.x[: self._frames], self.ref[: self._frames] = self._mix(latent, recipe)

    def denoise(self, live: Live[C, L]) -> Tensor | None:
        """Do the U-Net call for the frames `live`, and move their rows of `x` and `ref` a stage on.

        Return the latents of the last stage, [F, c, h, w], or None when the last stage is not live.
        """
        return self._call(live) if live else None

    def move_on(self, finished: Tensor | None) -> Done[L] | None:
        """Move all frames a stage on, and return what leaves the last stage, with the latents `finished`."""
        done = self._in_flight[-1]
        self._in_flight = [None, *self._in_flight[:-1]]
        return None if done is None else Done(finished, done.luggage)

    def skip(self, luggage: L) -> Done[L] | None:
        """Move the frames in flight a stage on, followed by a gap; return as `push` does."""
        if not self._batching:
            self._scene += 1
            return Done(None, luggage)
        return self.move_on(self.denoise(self.enter_gap(luggage)))

    def flush(self) -> list[Done[L]]:
        """Finish every call in flight, oldest first; afterwards the batch is empty."""
        self._scene += 1
        steps = [self.move_on(self.denoise(self.enter_nothing())) for _ in range(self._stages - 1)]
        return [done for done in steps if done is not None]

    def reset(self) -> None:
        """Forget the frames in flight."""
        self._in_flight = [None] * self._stages
        self._scene += 1

    def _place(self, entering: InFlight[C, L] | _Gap[L] | None) -> Live[C, L]:
        self._in_flight[0] = entering
        return [(stage, entry) for stage, entry in enumerate(self._in_flight) if isinstance(entry, InFlight)]

    def _mix(self, latent: Tensor, recipe: Recipe[C]) -> tuple[Tensor, Tensor]:
        """Return x and the reference of entering latents, [F, c, h, w] each; raises Bug for latents of other shape."""
        if latent.shape != self.x[: self._frames].shape:
            raise Bug(
                f"latents {tuple(latent.shape)} do not fit a batch of latents {tuple(self.x[: self._frames].shape)}"
            )
        schedule, noise = recipe.sampling.schedule, recipe.sampling.noise
        latent = latent.nan_to_num(0.0, 0.0, 0.0)  # [F, c, h, w]; cross-frame attention would spread NaN to all rows
        return schedule.a[0] * latent + schedule.b[0] * noise[0], latent

    def _call(self, live: Live[C, L]) -> Tensor | None:
        use = self._coefficients([(stage, entry.recipe.sampling) for stage, entry in live])
        entries = [entry for _, entry in live]
        x = self.x[use.rows]  # [R, c, h, w]
        clean, ref = self._denoise(use, x, self.ref[use.rows], entries)  # [R, c, h, w] each
        moving = len(use.next_signal)  # R or R - F
        finished = _end(use, clean[moving:], x[moving:])  # [F, c, h, w], before x is overwritten
        if moving:
            self.x[use.next_rows] = _move_on(use, clean[:moving], x[:moving])  # [moving, c, h, w]
        if moving and use.ref_weight is not None:
            # `ref` may be a view of the same buffer, and then source and target rows overlap.
            self.ref[use.next_rows] = (
                ref[:moving].clone() if use.negatives is None else ref[:moving]
            )  # [moving, c, h, w]
        return finished if moving < len(clean) else None  # [F, c, h, w]

    def _denoise_alone(self, entry: InFlight[C, L], x: Tensor, ref: Tensor) -> Tensor:
        """Take a frame through all stages, one U-Net call for each stage; `x`, `ref` and the result [F, c, h, w]."""
        for stage in range(self._stages):
            use = self._coefficients([(stage, entry.recipe.sampling)])
            clean, ref = self._denoise(use, x, ref, [entry])  # [F, c, h, w] each
            x = _move_on(use, clean, x) if len(use.next_signal) else _end(use, clean, x)  # [F, c, h, w]
        return x

    def _denoise(
        self, use: Coefficients, x: Tensor, ref: Tensor, entries: Sequence[InFlight[C, L]]
    ) -> tuple[Tensor, Tensor]:
        """Return the clean estimates x̂0 and the references of R rows, [R, c, h, w] each."""
        rows = self._rows(entries, negative=False)
        if use.negatives is None:
            output = self._unet(x, use.timesteps, rows)  # [R, c, h, w]
        else:
            negative_x = x[use.negatives]  # [N, c, h, w]
            rows += self._rows([entries[i] for i in use.negative_stages], negative=True)
            both = self._unet(torch.cat((x, negative_x)), use.timesteps, rows)  # [R + N, c, h, w]
            output, negative = both[: len(x)], both[len(x) :]  # [R, c, h, w], [N, c, h, w]
            estimate = use.negative_x_weight * negative_x + use.negative_output_weight * negative  # [N, c, h, w]
            ref = ref.clone()  # [R, c, h, w]
            ref[use.negatives] = estimate.nan_to_num_(0.0, 0.0, 0.0)  # [N, c, h, w]
        clean = torch.addcmul(use.x_weight * x, use.output_weight, output)  # [R, c, h, w]
        if use.ref_weight is not None:
            clean.addcmul_(use.ref_weight, ref)  # [R, c, h, w]
        # Half precision can overflow. Zeros keep an overflow within the frame: cross-frame attention would spread NaN
        # to every later frame.
        return clean.nan_to_num_(0.0, 0.0, 0.0), ref

    def _rows(self, entries: Sequence[InFlight[C, L]], *, negative: bool) -> list[Row[C]]:
        """Describe the rows of `entries`, F rows an entry."""
        return [
            Row(
                condition=entry.recipe.condition,
                negative=negative,
                scene=entry.scene if entry.recipe.together and not negative else None,
                hint=None if entry.hint is None else entry.hint[f],  # [nets, 3, H, W]
            )
            for entry in entries
            for f in range(self._frames)
        ]

    def _coefficients(self, live: Sequence[tuple[int, Sampling]]) -> Coefficients:
        return self.coefficients.of(live)


def _move_on(use: Coefficients, clean: Tensor, x: Tensor) -> Tensor:
    """Return the x of the next stage; `clean`, `x` and the result [R or R - F, c, h, w]."""
    ahead = torch.addcmul(use.next_noise, clean, use.next_signal)  # [R or R - F, c, h, w]
    return ahead if use.next_drift is None else ahead.addcmul_(x, use.next_drift)


def _end(use: Coefficients, clean: Tensor, x: Tensor) -> Tensor:
    """Return the finished latent of the rows at the last stage; `clean`, `x` and the result [F, c, h, w]."""
    of_clean, of_x = use.end
    return clean if (of_clean, of_x) == (1.0, 0.0) else clean.mul(of_clean).add_(x, alpha=of_x)
