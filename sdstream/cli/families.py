"""The tables of sources, engines and sinks, side by side: every kind for a configuration."""

from collections.abc import Sequence

from sdstream.engine.registry import KINDS as ENGINES
from sdstream.sinks.registry import KINDS as SINKS
from sdstream.sources.registry import KINDS as SOURCES
from sdstream.system.kinds import Kind

FAMILIES: dict[str, Sequence[Kind]] = {"source": SOURCES, "engine": ENGINES, "sinks": SINKS}
"""The kinds by the key of the configuration, in the order of the pipeline."""


def checks() -> list[str]:
    """Return the checks of all kinds, as "module:name", without repeats."""
    kinds = [kind for family in FAMILIES.values() for kind in family]
    return list(dict.fromkeys(check for kind in kinds for check in kind.checks))
