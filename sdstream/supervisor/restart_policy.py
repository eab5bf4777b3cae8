"""What the end of a stage's process means for the run: another process, one sink less, or the end.

A policy of facts alone: it knows no clock, no log and no process. The pipeline acts on what is decided here.
"""

import enum
from dataclasses import dataclass

from sdstream.errors import ConfigError, Forbidden, Lost, Unavailable
from sdstream.supervisor.failure import Ending, Failure

TRIES = 3
"""A stage that has never been ready may fail this often before it ends the run."""
_FINAL = (Unavailable.exit_code, Forbidden.exit_code, ConfigError.exit_code)
"""Errors that another try cannot mend."""


class Role(enum.Enum):
    """What a stage does in the run."""

    SOURCE = "source"
    RTMP_SERVER = "rtmp_server"
    ENGINE = "engine"
    SINK = "sink"


class Action(enum.Enum):
    """What happens next."""

    RESTART = "restart"
    LEAVE_OUT = "leave out"
    """The run goes on without this sink."""
    END = "end"
    """The run ends."""


@dataclass(frozen=True)
class Facts:
    """All that the decision depends on."""

    failure: Failure
    role: Role
    proven: bool
    """Whether the stage has been ready at any time in this run."""
    tries: int
    """Earlier failures of this stage that counted: see `Decision.tries`."""
    optional: bool
    """Whether the run may go on without this stage."""
    other_sinks: int
    """Sinks in the run besides this stage."""


@dataclass(frozen=True)
class Decision:
    """What to do about a failure."""

    action: Action
    tries: int
    """Failures of this stage that count, with this one: the next decision about the stage asks for the number."""
    exit_code: int = 0
    """With END: the run's exit status."""
    reason: str = ""
    """With END: why the run ends."""


def decide(facts: Facts) -> Decision:
    """Decide what the end of a stage's process means."""
    failure = facts.failure
    if facts.proven or failure.was_ready or _waits(facts):
        return Decision(Action.RESTART, facts.tries)  # it may come back, however long that takes
    tries = facts.tries + 1
    if failure.exit_code not in _FINAL and tries < TRIES:
        return Decision(Action.RESTART, tries)
    if facts.role is Role.SINK and facts.optional and facts.other_sinks:
        return Decision(Action.LEAVE_OUT, tries)
    return Decision(Action.END, tries, failure.exit_code, failure.message)


def _waits(facts: Facts) -> bool:
    """Whether the stage waits for something outside. All stages but the engine hang only for a silent server."""
    hangs = facts.failure.ending is Ending.HANG and facts.role is not Role.ENGINE
    return facts.failure.exit_code == Lost.exit_code or hangs
