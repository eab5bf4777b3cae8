"""Tells a listener how far the loading of a model has come; without a listener the calls do nothing.

The loading code is far below the stage, and has no other reason to know the stage: so the listener is set for a block.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sdstream.ipc.loading import Phase

Listener = Callable[[Phase, int, int], None]
"""Takes the phase, the present step from 1, and the number of steps; 0 of 0 in a phase without steps."""


class _Progress:
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._phase, self._step, self._steps = Phase.STARTING, 0, 0

    def begin(self, phase: Phase, steps: int) -> None:
        self._phase, self._step, self._steps = phase, 0, steps
        self._listener(phase, 0, steps)

    def step(self) -> None:
        if self._step < self._steps:
            self._step += 1
            self._listener(self._phase, self._step, self._steps)

    @contextmanager
    def between(self, phase: Phase) -> Iterator[Callable[[int, int], None]]:
        told = False

        def tell(step: int, steps: int) -> None:
            nonlocal told
            told = True
            self._listener(phase, step, steps)

        try:
            yield tell
        finally:
            if told:
                self._listener(self._phase, self._step, self._steps)


_progress: ContextVar[_Progress | None] = ContextVar("progress", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Tell `listener` of each phase and step inside the block."""
    token = _progress.set(_Progress(listener))
    try:
        yield
    finally:
        _progress.reset(token)


def begin(phase: Phase, steps: int = 0) -> None:
    """Say that a phase begins, with `steps` calls of `step` to come."""
    if progress := _progress.get():
        progress.begin(phase, steps)


def step() -> None:
    """Say that the next step of the phase begins; beyond the last step the call does nothing."""
    if progress := _progress.get():
        progress.step()


@contextmanager
def between(phase: Phase) -> Iterator[Callable[[int, int], None]]:
    """Give a function which says that `phase` has come to a step of so many, from any thread; then the phase before
    goes on. A block without a call of the function is not heard."""
    progress = _progress.get()
    if progress is None:
        yield lambda _step, _steps: None
        return
    with progress.between(phase) as tell:
        yield tell
