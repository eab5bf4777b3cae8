"""A finding of `sdstream doctor`: a part of the machine, and the command for repair."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The state of a part of the machine: a library, a device, a port."""

    name: str
    state: State
    """`missing`: sdstream cannot work properly. `note`: a single kind or backend cannot work."""
    found: str
    fix: str = ""
    """A command to type, or an action; empty when there is nothing to repair."""
