"""One unwanted end of a stage's process, as the supervisor hears of it."""

import enum
from dataclasses import dataclass


class Ending(enum.Enum):
    """Why a process of a stage ended."""

    CRASH = "crash"
    ERROR = "error"
    HANG = "hang"


@dataclass(frozen=True)
class Failure:
    """One unwanted end of a stage's process."""

    stage: str
    ending: Ending
    message: str
    exit_code: int
    """Status that the run should end with if it cannot go on without this stage (see errors.py)."""
    was_ready: bool
    """Whether the process had opened what it needs."""
