"""What `sources` and `sinks` list: a thing that is there, and the settings that use it."""

from dataclasses import dataclass
from json import dumps


@dataclass(frozen=True, slots=True)
class Thing:
    """Something to read from or to write to."""

    label: str
    """What people call it."""
    address: str
    """Where it is: a device, or host:port."""
    settings: dict[str, str]
    """What to write under `source:` or among the `sinks:`."""
    state: str = ""
    """What is known of it now, e.g. that somebody else writes to it."""


def in_yaml(settings: dict[str, str]) -> str:
    """Return settings as one line of YAML, to copy."""
    return "{" + ", ".join(f"{key}: {dumps(value, ensure_ascii=False)}" for key, value in settings.items()) + "}"
