"""An unwanted end of a stage's process: the input of the restart policy."""

import enum
from dataclasses import dataclass


class Ending(enum.Enum):
    """Why a process of a stage ended."""

    CRASH = "crash"
    ERROR = "error"
    HANG = "hang"


@dataclass(frozen=True)
class Failure:
    """An unwanted end of a stage's process."""

    stage: str
    ending: Ending
    message: str
    exit_code: int
    """Exit status of the run, if the run cannot go on without this stage (see errors.py)."""
    was_ready: bool
    """Whether the body had finished opening."""
