"""Stream Batch: every denoising step of every frame in flight in one U-Net call (paper section 3.1).

Row i holds the frame that entered i calls ago, at stage i. The core knows tensors and a U-Net to call;
it knows no files, clocks, prompts or pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from sdstream.engine.denoising.coefficients import Plan, Sampling, make_plan
from sdstream.errors import Bug

C = TypeVar("C")
"""What the U-Net is told about a frame (its prompt); never looked at here."""


@dataclass(frozen=True)
class Recipe(Generic[C]):
    """What a frame is finished with; a change of prompt or seed is a new recipe for the frames after it."""

    sampling: Sampling
    condition: C
    together: bool = False
    """Cross-frame attention: look at the frames of the same scene beside it that want it too."""


@dataclass(frozen=True)
class Row(Generic[C]):
    """What the U-Net is told about one row of its batch."""

    condition: C
    negative: bool
    """A guidance row: it gets the negative prompt, and takes no part in cross-frame attention."""
    scene: int | None
    """Rows of one scene look at each other: no cut and no skip lies between them. None looks at itself only."""
    hint: Tensor | None
    """This frame's own picture for ControlNets.  # [3, H, W]"""


UNet = Callable[[Tensor, Tensor, Sequence[Row[C]]], Tensor]
"""(x [rows, c, h, w] float32, timesteps [rows] int64, rows) -> output [rows, c, h, w] float32."""


@dataclass(frozen=True)
class _InFlight(Generic[C]):
    recipe: Recipe[C]
    hint: Tensor | None  # [F, 3, H, W]
    scene: int


class StreamBatch(Generic[C]):
    """Frames in flight through `stages` denoising stages, `frames` of them entering at a time.

    With `batching` off every frame goes through all its stages at once, in as many calls (for comparison). The
    daemon's engine takes one frame at a time: docs/developing.md says why, `bench engine --steps 1x4` what it forgoes.
    """

    def __init__(self, unet: UNet[C], noise: Tensor, *, stages: int, frames: int = 1, batching: bool = True) -> None:
        """`noise` gives the latents' shape (its last three sizes) and device; nothing is kept of it."""
        self._unet = unet
        self._stages = stages
        self._frames = frames
        self._batching = batching
        self._x = noise.new_zeros(stages * frames, *noise.shape[-3:], dtype=torch.float32)
        self._ref = torch.zeros_like(self._x)
        self._in_flight: list[_InFlight[C] | None] = [None] * stages
        self._scene = 0
        self._plans: dict[tuple[tuple[int, Sampling], ...], Plan] = {}

    @property
    def in_flight(self) -> int:
        """How many calls' frames are on their way."""
        return sum(entry is not None for entry in self._in_flight)

    def push(
        self, latent: Tensor, recipe: Recipe[C], *, hint: Tensor | None = None, cut: bool = False
    ) -> Tensor | None:
        """Take in `frames` latents and return those that are done: the ones of `stages` - 1 calls ago.

        Latents are scaled as the U-Net likes them, float32, [F, c, h, w], and so is the result, which is the
        caller's to keep; None while the batch fills. `cut` says that the scene changed with this frame.
        """
        schedule, noise = recipe.sampling.schedule, recipe.sampling.noise
        if len(schedule) != self._stages or latent.shape != self._x[: self._frames].shape:
            raise Bug(f"{len(schedule)} steps and {tuple(latent.shape)} do not fit {self._stages} stages")
        self._scene += cut
        entry = _InFlight(recipe, hint, self._scene)
        x = schedule.a[0] * latent + schedule.b[0] * noise[0]
        if not self._batching:
            return self._finish(entry, x, latent.clone())
        self._x[: self._frames] = x
        self._ref[: self._frames] = latent
        self._in_flight[0] = entry
        return self._step()

    def advance(self) -> Tensor | None:
        """Move the frames in flight one stage on, with a gap behind them; return what is done, if anything."""
        self._scene += 1
        return self._step()

    def flush(self) -> list[Tensor]:
        """Finish every frame in flight, oldest first; afterwards none is."""
        outputs = [self.advance() for _ in range(self._stages - 1)]
        return [output for output in outputs if output is not None]

    def reset(self) -> None:
        """Forget the frames in flight."""
        self._in_flight = [None] * self._stages
        self._scene += 1

    def forget_plans(self) -> None:
        """Drop the numbers of the calls so far; the next ones are worked out anew."""
        self._plans.clear()

    def _step(self) -> Tensor | None:
        live = [(stage, entry) for stage, entry in enumerate(self._in_flight) if entry is not None]
        self._in_flight = [None, *self._in_flight[:-1]]
        if not live:
            return None
        plan = self._plan(tuple((stage, entry.recipe.sampling) for stage, entry in live))
        clean, ref = self._denoise(plan, self._x[plan.rows], self._ref[plan.rows], [e for _, e in live])
        moving = len(plan.next_signal)
        if moving:
            self._x[plan.onward] = torch.addcmul(plan.next_noise, clean[:moving], plan.next_signal)
        if moving and plan.lean is not None:
            self._ref[plan.onward] = ref[:moving].clone()  # source and target overlap
        return clean[moving:] if moving < len(clean) else None

    def _finish(self, entry: _InFlight[C], x: Tensor, ref: Tensor) -> Tensor:
        for stage in range(self._stages):
            plan = self._plan(((stage, entry.recipe.sampling),))
            clean, ref = self._denoise(plan, x, ref, [entry])
            if len(plan.next_signal):
                x = torch.addcmul(plan.next_noise, clean, plan.next_signal)
        return clean

    def _denoise(self, plan: Plan, x: Tensor, ref: Tensor, entries: Sequence[_InFlight[C]]) -> tuple[Tensor, Tensor]:
        """Return the clean estimates and the references of R rows; references asked for now are written in."""
        rows = self._rows(entries, negative=False)
        if plan.negatives is None:
            output = self._unet(x, plan.timesteps, rows)
        else:
            asking = x[plan.negatives]
            rows += self._rows([entries[i] for i in plan.negative_stages], negative=True)
            both = self._unet(torch.cat((x, asking)), plan.timesteps, rows)
            output, negative = both[: len(x)], both[len(x) :]
            asked = plan.negative_keep * asking + plan.negative_model * negative
            ref[plan.negatives] = asked.nan_to_num_(0.0, 0.0, 0.0)
        clean = torch.addcmul(plan.keep * x, plan.model, output)
        if plan.lean is not None:
            clean.addcmul_(plan.lean, ref)
        # A number that overflowed (half precision does) ends with its frame: cross-frame attention would hand it on
        # to every later one.
        return clean.nan_to_num_(0.0, 0.0, 0.0), ref

    def _rows(self, entries: Sequence[_InFlight[C]], *, negative: bool) -> list[Row[C]]:
        return [
            Row(
                condition=entry.recipe.condition,
                negative=negative,
                scene=entry.scene if entry.recipe.together and not negative else None,
                hint=None if entry.hint is None else entry.hint[f],
            )
            for entry in entries
            for f in range(self._frames)
        ]

    def _plan(self, key: tuple[tuple[int, Sampling], ...]) -> Plan:
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= 4 * self._stages:
                self._plans.clear()
            plan = self._plans[key] = make_plan(key, self._frames)
        return plan
