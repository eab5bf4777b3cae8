"""Opens the engine that a setting asks for; what an engine needs is imported when it is used."""

from sdstream.config.engine import AnyEngine, PassthroughSettings
from sdstream.engine import Engine
from sdstream.engine.size import Size
from sdstream.errors import Unavailable


def open_engine(settings: AnyEngine, canvas: Size) -> Engine:
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

    return DiffusionEngine(settings, canvas)
