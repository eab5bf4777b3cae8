"""Opens the engine that a setting asks for; what an engine needs is imported when it is used."""

from typing import TYPE_CHECKING

from sdstream.config.engine import AnyEngine, PassthroughSettings
from sdstream.engine import Engine
from sdstream.errors import Unavailable

if TYPE_CHECKING:
    from sdstream.engine.region import Compose


def open_engine(settings: AnyEngine, compose: "Compose") -> Engine:
    """Return the engine that `settings` ask for, not yet loaded. Raises Unavailable without the extra it needs."""
    if isinstance(settings, PassthroughSettings):
        from sdstream.engine.passthrough import Passthrough

        return Passthrough()
    try:
        from sdstream.engine.diffusion import DiffusionEngine
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"the diffusion engine needs {error.name}, which is not installed: pip install 'sdstream[diffusion]', "
            "or use engine: {kind: passthrough}"
        ) from error

    return DiffusionEngine(settings, compose=compose)
