"""An entry of `sdstream sources` and `sdstream sinks`: a device or address, and the settings that open it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Something to read from or to write to."""

    label: str
    """What people call it."""
    address: str
    """A device, or host:port; empty where the settings tell it."""
    settings: dict[str, str]
    """What to write under `source:` or among the `sinks:`."""
    state: str = ""
    """What is known of it now, e.g. that another program writes to it."""


@dataclass(frozen=True, slots=True)
class Search:
    """How long and where `sdstream sources` looks."""

    seconds: float = 3.0
    """Seconds of discovery on the network."""
    extra_ips: tuple[str, ...] = ()
    """Addresses to ask besides those that discovery finds."""
