"""The table of engines: for each kind the class to open, and the checks of `doctor`."""

from pathlib import Path

from sdstream.config.engine import AnyEngine, DiffusionSettings, PassthroughSettings
from sdstream.engine import Engine
from sdstream.engine.size import Size
from sdstream.system.kinds import Kind, kind_of

KINDS = (
    Kind(
        DiffusionSettings,
        opener="sdstream.engine.diffusion:DiffusionEngine",
        extra="diffusion",
        checks=(
            "sdstream.engine.checks:diffusion",
            "sdstream.engine.checks:openvino",
            "sdstream.engine.checks:gpu",
        ),
    ),
    Kind(PassthroughSettings, opener="sdstream.engine.passthrough:Passthrough"),
)
"""A row for each kind."""


def open_engine(settings: AnyEngine, canvas: Size, cache: Path | None) -> Engine:
    """Return the engine for `settings`, not yet entered. Raises Unavailable without the extra of the engine.

    Compiled artefacts are kept below the folder `cache` for the next start; None keeps nothing.
    """
    engine: Engine = kind_of(settings, KINDS).load()(settings, canvas, cache)
    return engine
