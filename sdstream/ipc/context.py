"""The body's side of a stage: counters, signs of life, and the request to end."""

import time
from collections.abc import Iterable
from multiprocessing.sharedctypes import RawValue
from typing import Any

from sdstream.ipc.counters import Counters

BEAT, BEGUN, READY = "beat", "begun", "ready"
"""Names of the counters for a stage's signs of life (monotonic seconds; `begun` is 0 or 1)."""


class Context:
    """The body's side of a stage. For a body without a process, as in a test, there is `Context.alone()`."""

    def __init__(self, name: str, counters: Counters) -> None:
        """`counters` must hold `beat` and `ready` (see `stage_counters`)."""
        self.name = name
        self.counters = counters
        self._stop: Any = RawValue("b", 0)  # ctypes values have no static type

    @classmethod
    def alone(cls, *names: str) -> "Context":
        """Return a context with no process around it, for tests and benchmarks."""
        return cls("alone", stage_counters(names))

    @property
    def running(self) -> bool:
        """False once the stage should end. Reading `running` is also the sign of life: read `running` in each loop."""
        self.counters.set(BEAT, time.monotonic())
        return not self._stop.value

    def stop(self) -> None:
        """Ask the body to end."""
        self._stop.value = 1

    def begun(self) -> None:
        """Say that the body begins (the process calls this): from here on `open_deadline` holds."""
        self.counters.set(BEAT, time.monotonic())
        self.counters.set(BEGUN, 1)

    def ready(self) -> None:
        """Say that the body has finished opening (the body calls this): from here on `hang_after` holds."""
        self.counters.set(READY, time.monotonic())

    def restarted(self) -> None:
        """Forget the last process's signs of life (the supervisor calls this before a new process)."""
        self.counters.set(READY, 0)
        self.counters.set(BEGUN, 0)
        self.counters.set(BEAT, time.monotonic())


def stage_counters(names: Iterable[str]) -> Counters:
    """Return counters for a stage: `names`, and the signs of life."""
    return Counters((BEAT, BEGUN, READY, *names))
