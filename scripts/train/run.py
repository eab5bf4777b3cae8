"""The training of a part: a budget of seconds, a learning rate by the share of the budget, and checkpoints."""

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from rich.progress import Progress
from torch import distributed, nn

CHECKPOINT_EVERY = 120.0
"""Seconds between checkpoints."""

LONGEST_STEP = 20.0
"""Largest time of a step in seconds: a halt of the process is no training."""


class Run:
    """Trains `module` for `seconds` in all, over any number of calls of the program."""

    def __init__(self, module: nn.Module, path: Path, seconds: float, rate: float) -> None:
        self.module = module
        self.average = torch.optim.swa_utils.AveragedModel(
            module, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995)
        )
        self.step = 0
        self.spent = 0.0
        self._path = path
        self._seconds = seconds
        self._rate = rate
        trained = [p for p in module.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        self._losses: dict[str, float] = {}
        self._before = 0.0
        self._workers = distributed.get_world_size() if distributed.is_initialized() else 1
        self._leads = self.worker[0] == 0
        if path.exists():
            self._resume()

    @property
    def worker(self) -> tuple[int, int]:
        """This worker's number, from 0, and the number of workers."""
        return (0 if self._workers == 1 else distributed.get_rank()), self._workers

    def _resume(self) -> None:
        checkpoint = torch.load(self._path, map_location="cpu", weights_only=True)
        self.module.load_state_dict(checkpoint["module"])
        self.average.load_state_dict(checkpoint["average"])
        self._optimizer.load_state_dict(checkpoint["optimizer"])
        self.step, self.spent = checkpoint["step"], checkpoint["spent"]

    def save(self) -> None:
        """Write a checkpoint atomically: an interrupted run keeps the checkpoint before."""
        if not self._leads:
            return
        fresh = self._path.with_suffix(".new")
        state = {"module": self.module.state_dict(), "average": self.average.state_dict()}
        state |= {"optimizer": self._optimizer.state_dict(), "step": self.step, "spent": self.spent}
        torch.save(state, fresh)
        fresh.replace(self._path)

    def steps(self, limit: float) -> Iterator[int]:
        """Yield step numbers until the end of the budget, or of this call's `limit` in seconds."""
        end = min(self._seconds, self.spent + limit)
        started = saved = self.spent
        self._before = time.monotonic()
        with Progress(transient=True, disable=not (self._leads and sys.stderr.isatty())) as bars:
            bar = bars.add_task(self._path.stem, total=end, completed=started)
            while self.spent < end:
                yield self.step
                bars.update(bar, completed=self.spent)
                if self.spent - saved > CHECKPOINT_EVERY:
                    self.save()
                    saved = self.spent
        if self.spent > started:
            self.save()

    def descend(self, losses: dict[str, torch.Tensor]) -> None:
        """Do a step of gradient descent on the sum of `losses`; every 50 steps print the running means."""
        done = min(1.0, self.spent / self._seconds)
        warm = min(1.0, (self.step + 1) / 100)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        self._average_workers()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self._optimizer.step()
        self.average.update_parameters(self.module)
        self.step += 1
        for name, loss in losses.items():
            self._losses[name] = 0.98 * self._losses.get(name, float(loss.detach())) + 0.02 * float(loss.detach())
        if self.step % 50 == 0 and self._leads:
            means = " ".join(f"{name} {loss:.4f}" for name, loss in self._losses.items())
            spent = f"{self.spent:.0f} s of {self._seconds:.0f}"
            print(f"{self._path.stem}: step {self.step}, {spent}: {means}", flush=True)

    def _average_workers(self) -> None:
        """Count the time of this step; with several workers, average the times and the gradients."""
        now = time.monotonic()
        self.spent += min(LONGEST_STEP, now - self._before)
        self._before = now
        if self._workers == 1:
            return
        gradients = [p.grad for p in self.module.parameters() if p.grad is not None]
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), torch.tensor([self.spent])]) / self._workers
        distributed.all_reduce(flat)
        self.spent = float(flat[-1])  # the same time for all workers: all workers end at the same step
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, mean in zip(gradients, flat[:-1].split(sizes), strict=True):
            gradient.copy_(mean.view_as(gradient))
