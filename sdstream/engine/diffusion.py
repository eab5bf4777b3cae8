"""The diffusion engine: a picture and its controls in, a restyled picture out, `len(steps)` - 1 calls later."""

import time
from collections.abc import Callable
from typing import Self

import torch

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine import Outcome
from sdstream.engine.models import load
from sdstream.engine.region import Compose
from sdstream.engine.session import Session
from sdstream.engine.weights.component import LoadErrors
from sdstream.errors import Bug, Unavailable
from sdstream.frame import Pixels


class DiffusionEngine:
    """Restyles by Stream Batch (arXiv 2312.12491). Opening it loads the model, and raises Unavailable.

    Not for several threads. `last_outcome` and `last_age` speak of the last call.
    """

    def __init__(
        self,
        settings: DiffusionSettings,
        clock: Callable[[], float] = time.monotonic,
        compose: Compose | None = None,
    ) -> None:
        """`compose` is what regions with a seamless edge are made with; without it they are refused."""
        self._compose = compose
        self._settings = settings
        self._clock = clock
        self._session: Session | None = None

    def __enter__(self) -> Self:
        model = load(self._settings)
        self._session = Session(model, self._settings, self._clock, self._compose)
        try:
            with torch.inference_mode():
                self._session.warm_up()
        except LoadErrors as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise Unavailable(f"model {self._settings.model} loads and does not run: {reason}") from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._session = None

    @torch.inference_mode()
    def __call__(self, frame: Pixels, controls: Controls) -> Pixels | None:
        """Take in a picture of any size (RGB uint8 (h, w, 3)) and return one of the engine's size, or None.

        The result is the caller's to keep; None: see `last_outcome`. Controls that cannot be had raise
        Unavailable on the first call; later they are logged once and the old ones stay.
        """
        return self.session.call(frame, controls)

    @torch.inference_mode()
    def flush(self) -> list[Pixels]:
        """Finish the frames in flight, oldest first."""
        return self.session.flush()

    def reset(self) -> None:
        """Forget the frames in flight and the last picture; the next frame starts clean."""
        self.session.reset()

    @property
    def last_outcome(self) -> Outcome:
        """What became of the last call."""
        return self.session.outcome

    @property
    def last_age(self) -> int:
        """How many calls before the last one the returned picture's frame came in; 0 is that very call."""
        return self.session.age

    @property
    def session(self) -> Session:
        """The loaded model at work, for benchmarks."""
        if self._session is None:
            raise Bug("the diffusion engine is closed: use `with DiffusionEngine(settings) as engine:`")
        return self._session
