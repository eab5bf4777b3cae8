"""Whether a run is on air, from the state of the supervisor."""

from collections.abc import Mapping
from typing import Any


def obstacles(state: Mapping[str, Any]) -> list[str]:
    """Return a reason for each output that is not on air; an empty list for a run that is ready."""
    if not state:
        return ["the run has just begun"]
    return [f"{sink['name']}: {sink['showing']}" for sink in state["sinks"] if sink["showing"] in _SILENT]


_SILENT = ("nothing yet", "away")
