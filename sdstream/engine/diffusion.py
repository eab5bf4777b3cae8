"""The diffusion engine: a frame and controls in, a restyled frame out, `len(steps)` - 1 calls later."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine import Restyled
from sdstream.engine.acceleration import open_model
from sdstream.engine.networks import CORES
from sdstream.engine.session import Session
from sdstream.engine.size import Size
from sdstream.engine.weights.component import LoadErrors
from sdstream.errors import Bug, Unavailable, reason
from sdstream.frame import Frame
from sdstream.ipc import progress
from sdstream.ipc.loading import Phase
from sdstream.log import get_logger

log = get_logger()


class DiffusionEngine:
    """Restyles by Stream Batch (arXiv 2312.12491). Opening the engine loads the model, and raises Unavailable.

    Not for several threads.
    """

    def __init__(
        self,
        settings: DiffusionSettings,
        canvas: Size = (1, 1),
        cache: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`width: auto` and `height: auto` follow the aspect ratio of `canvas`; `clock` gives seconds.

        Compiled artefacts are kept below `cache` for the next start; None keeps nothing.
        """
        self._settings, self._canvas, self._cache, self._clock = settings, canvas, cache, clock
        self._session: Session | None = None
        self._ladder = MemoryLadder()

    def __enter__(self) -> Self:
        torch.set_num_threads(self._settings.threads or CORES)
        progress.begin(Phase.WEIGHTS)
        model = open_model(self._settings)
        self._session = Session(model, self._settings, self._clock, self._canvas, self._cache)
        torch.set_num_threads(self._session.torch_threads)
        try:
            progress.begin(Phase.FIRST_PICTURE)
            with torch.inference_mode():
                self._session.warm_up()
        except LoadErrors as error:
            advice = "; close other programs on the GPU, or set engine.width and engine.height to less"
            advice = advice if isinstance(error, torch.OutOfMemoryError) else ""
            why = reason(error, named=True)
            raise Unavailable(f"model {self._settings.model} loads but does not run: {why}{advice}") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._session = None

    @torch.inference_mode()
    def __call__(self, frame: Frame, controls: Controls) -> Restyled | None:
        """Take in a camera frame of any size; return a finished frame of the engine's size, or None while filling.

        Impossible controls raise Unavailable on the first call. On later calls impossible controls are logged once,
        and the old controls stay. Controls that take more memory than there is are left for smaller ones, until other
        controls come; torch.OutOfMemoryError is raised when even a single denoising step is too large.
        """
        try:
            restyled = self._open.call(frame, used := self._ladder.within(controls))
        except torch.OutOfMemoryError as error:
            self._step_down(controls, error)
            return None
        self._ladder.worked = used
        return restyled

    def _step_down(self, controls: Controls, error: torch.OutOfMemoryError) -> None:
        lower = self._ladder.down(controls)
        if lower is None:
            raise error
        log.warning("out of memory, the engine goes on with less", steps=lower.steps, reason=reason(error))
        self._open.start_anew()
        torch.cuda.empty_cache()

    @torch.inference_mode()
    def flush(self) -> list[Restyled]:
        """Finish the frames in flight, oldest first."""
        return self._open.flush()

    def reset(self) -> None:
        """Forget the frames in flight and the last picture; the next frame starts clean."""
        self._open.reset()

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise Bug("the diffusion engine is closed: use `with DiffusionEngine(settings) as engine:`")
        return self._session


@dataclass
class MemoryLadder:
    """Decides what to do about controls that take more memory than there is; a step down, and no further than asked."""

    worked: Controls | None = None
    """The last controls with which a frame was taken."""
    _too_large: Controls | None = None
    _instead: Controls | None = None

    def within(self, asked: Controls) -> Controls:
        """Return the controls to use: those asked for, or a step down from controls that were too large."""
        if asked == self._too_large and self._instead is not None:
            return self._instead
        self._too_large = self._instead = None
        return asked

    def down(self, asked: Controls) -> Controls | None:
        """Step down from `asked`, which ran out of memory with the controls in use; None when there is no step left.

        First the last controls that worked; then a single denoising step, which needs the least memory.
        """
        used = self._instead or asked
        single = asked.model_copy(update={"steps": asked.steps[-1:]})
        lower = next((step for step in (self.worked, single) if step not in (None, used, asked)), None)
        if self._instead == single:
            lower = None
        self._too_large, self._instead, self.worked = asked, lower, None
        return lower
