"""The diffusion engine: a frame and controls in, a restyled frame out, `len(steps)` - 1 calls later."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import torch

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine import Restyled, progress
from sdstream.engine.acceleration import open_model
from sdstream.engine.networks import CORES
from sdstream.engine.session import Session
from sdstream.engine.size import Size
from sdstream.engine.weights.component import LoadErrors
from sdstream.errors import Bug, Unavailable
from sdstream.frame import Frame
from sdstream.ipc.loading import Phase


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
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise Unavailable(f"model {self._settings.model} loads but does not run: {reason}") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._session = None

    @torch.inference_mode()
    def __call__(self, frame: Frame, controls: Controls) -> Restyled | None:
        """Take in a camera frame of any size; return a finished frame of the engine's size, or None while filling.

        Impossible controls raise Unavailable on the first call. On later calls impossible controls are logged once,
        and the old controls stay.
        """
        return self._open.call(frame, controls)

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
