"""Decides after the end of a stage's process: start a new process, leave the sink out, or end the run.

The policy sees facts alone: no clock, no log and no process. The pipeline carries out the decision.
"""

import enum
from dataclasses import dataclass

from sdstream.errors import ConfigError, Forbidden, Lost, Unavailable
from sdstream.supervisor.failure import Ending, Failure

TRIES = 3
"""Number of failures at which a stage that was never ready ends the run."""
_FINAL = (Unavailable.exit_code, Forbidden.exit_code, ConfigError.exit_code)
"""Exit statuses of errors that a new process cannot cure."""


class Role(enum.Enum):
    """The part of a stage in the run."""

    SOURCE = "source"
    RTMP_SERVER = "rtmp_server"
    ENGINE = "engine"
    SINK = "sink"
    CONTROL = "control"


class Action(enum.Enum):
    """The next step after a failure."""

    RESTART = "restart"
    LEAVE_OUT = "leave out"
    """The run goes on without this sink."""
    END = "end"
    """The run ends."""


@dataclass(frozen=True)
class Facts:
    """The input of a decision."""

    failure: Failure
    role: Role
    proven: bool
    """Whether the stage has been ready at any time in this run."""
    tries: int
    """Earlier counted failures of this stage: see `Decision.tries`."""
    optional: bool
    """Whether the run may go on without this stage."""
    other_sinks: int
    """Sinks in the run besides this stage."""


@dataclass(frozen=True)
class Decision:
    """The answer to a failure."""

    action: Action
    tries: int
    """Counted failures of this stage up to now: `Facts.tries` of the next decision about the stage."""
    exit_code: int = 0
    """With END: the run's exit status."""
    reason: str = ""
    """With END: why the run ends."""


def decide(facts: Facts) -> Decision:
    """Return the answer to a failure of a stage."""
    failure = facts.failure
    if facts.proven or failure.was_ready or _waits(facts):
        return Decision(Action.RESTART, facts.tries)  # without limit: a device or server may return after hours
    tries = facts.tries + 1
    if failure.exit_code not in _FINAL and tries < TRIES:
        return Decision(Action.RESTART, tries)
    if facts.role is Role.CONTROL and failure.exit_code not in _FINAL:
        return Decision(Action.RESTART, tries)  # a show needs no control server
    if facts.role is Role.SINK and facts.optional and facts.other_sinks:
        return Decision(Action.LEAVE_OUT, tries)
    return Decision(Action.END, tries, failure.exit_code, failure.message)


def _waits(facts: Facts) -> bool:
    """Whether the stage waits for something outside. Except for the engine, a stage hangs only on a silent server."""
    hangs = facts.failure.ending is Ending.HANG and facts.role is not Role.ENGINE
    return facts.failure.exit_code == Lost.exit_code or hangs
