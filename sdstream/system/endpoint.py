"""An entry of `sdstream sources` and `sdstream sinks`: a device or address, with the settings for opening."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A device or address to read from or to write to."""

    label: str
    """Name for people."""
    address: str
    """Path of the device, or host:port; empty when the settings hold the address."""
    settings: dict[str, str]
    """Settings to write under `source:` or among the `sinks:`."""
    state: str = ""
    """Present state, for example "held by obs (pid 4711)"; empty when unknown."""


@dataclass(frozen=True, slots=True)
class Search:
    """Time and place of the search of `sdstream sources`."""

    seconds: float = 3.0
    """Seconds of discovery on the network."""
    extra_ips: tuple[str, ...] = ()
    """Addresses to ask in addition to discovery."""
