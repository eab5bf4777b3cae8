"""Where the loading of an engine stands: written by the engine's process into its counters, read by all processes."""

import enum
from dataclasses import dataclass

from sdstream.ipc.context import BEGUN, READY
from sdstream.ipc.counters import Counters


class Phase(enum.Enum):
    """The phases from the start of the engine's process to the first picture, in order."""

    STARTING = "starting"
    """The process starts."""
    LIBRARIES = "loading libraries"
    WEIGHTS = "loading weights"
    """The model's files are read."""
    FETCHING = "fetching megabyte"
    """Missing files are fetched from the hub; a step is a megabyte. Afterwards the phase before goes on."""
    COMPILING = "compiling"
    """Networks are compiled, or taken from the cache, one by one."""
    FIRST_PICTURE = "first picture"
    """A grey picture goes through the model."""
    RUNNING = "running"
    """Loaded."""


COUNTERS = ("phase", "phase_step", "phase_steps")
"""Names of the counters: number of the phase, present step of the phase from 1, and number of steps or 0."""


@dataclass(frozen=True, slots=True)
class Loading:
    """The state of an engine's loading."""

    phase: str
    """A value of `Phase`."""
    step: int = 0
    steps: int = 0
    """`step` of `steps`, counted from 1; 0 of 0 in a phase without steps."""

    @property
    def over(self) -> bool:
        """Whether the engine is loaded."""
        return self.phase == Phase.RUNNING.value

    @property
    def text(self) -> str:
        """The state for people, such as "compiling 3 of 6"."""
        return f"{self.phase} {self.step} of {self.steps}" if self.steps else self.phase


LOADED = Loading(Phase.RUNNING.value)


def tell_loading(counters: Counters, phase: Phase, step: int = 0, steps: int = 0) -> None:
    """Write the state; the counters must hold `COUNTERS`."""
    counters.set("phase_step", step)
    counters.set("phase_steps", steps)
    counters.set("phase", list(Phase).index(phase))


def loading(counters: Counters) -> Loading:
    """Return the state of the stage with `counters`, which must hold `COUNTERS` and the signs of life."""
    if counters.get(READY):
        return LOADED
    if not counters.get(BEGUN):
        return Loading(Phase.STARTING.value)
    phase = list(Phase)[counters.count("phase")]
    return Loading(phase.value, counters.count("phase_step"), counters.count("phase_steps"))
