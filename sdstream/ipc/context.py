"""What a stage's body sees of the house: its counters, its signs of life, and whether it should go on."""

import time
from collections.abc import Iterable
from multiprocessing.sharedctypes import RawValue
from typing import Any

from sdstream.ipc.counters import Counters

BEAT, BORN, READY = "beat", "born", "ready"
"""Names of the counters that hold a stage's signs of life (monotonic seconds; `born` is 0 or 1)."""


class Context:
    """What a body sees of the house. It may be used in a test's own thread as well: `Context.alone()`."""

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
        """False once the stage should end. Reading it is also the stage's sign of life: do it each loop."""
        self.counters.set(BEAT, time.monotonic())
        return not self._stop.value

    def stop(self) -> None:
        """Ask the body to end."""
        self._stop.value = 1

    def born(self) -> None:
        """Say that the body begins (its process calls this): from here on the `open_deadline` holds."""
        self.counters.set(BEAT, time.monotonic())
        self.counters.set(BORN, 1)

    def ready(self) -> None:
        """Say that the body has opened what it needs; from here on the `hang_after` deadline holds."""
        self.counters.set(READY, time.monotonic())

    def restarted(self) -> None:
        """Forget the last process's signs of life (the supervisor calls this before it starts another)."""
        self.counters.set(READY, 0)
        self.counters.set(BORN, 0)
        self.counters.set(BEAT, time.monotonic())


def stage_counters(names: Iterable[str]) -> Counters:
    """Return counters for a stage: its own names, and the signs of life."""
    return Counters((BEAT, BORN, READY, *names))
