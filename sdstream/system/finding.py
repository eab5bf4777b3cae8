"""A finding of `sdstream doctor`: one part of the machine, and the line that mends it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the machine: a library, a device, a port."""

    name: str
    state: State
    """`missing` when sdstream cannot work as it should without it; `note` when only a part of it cannot."""
    found: str
    fix: str = ""
    """A command to type, or a thing to do; empty when there is nothing to mend."""
