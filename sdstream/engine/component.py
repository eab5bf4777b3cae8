"""Loads one part of a model (U-Net, autoencoder, text encoder, …) strictly: every weight must be there and fit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sdstream.engine.files import weights
from sdstream.errors import Unavailable

LoadErrors: tuple[type[Exception], ...] = (
    OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, ArithmeticError, AssertionError,
)  # fmt: skip
"""What diffusers and transformers raise on a model that is not what it says."""


def component(kind: Any, folder: Path, what: str, **options: object) -> Any:  # any diffusers or transformers class
    """Load one component and insist that every weight is there and fits; raises Unavailable."""
    if all(".fp16." in file.name for file in weights(folder, what)):
        options["variant"] = "fp16"
    try:
        with quiet():
            model, told = kind.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
            )
    except LoadErrors as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unavailable(f"{what}: {folder} cannot be loaded: {reason}") from error
    for problem in ("missing_keys", "mismatched_keys", "error_msgs"):
        if told.get(problem):
            first = sorted(map(str, told[problem]))[0]
            raise Unavailable(f"{what}: {folder} does not fit its config.json: {problem.replace('_', ' ')}: {first}")
    freeze: Callable[[bool], object] = model.requires_grad_
    freeze(False)
    return model.eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and notices out of the log: what matters is raised."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    libraries = (diffusers_log, transformers_log)
    levels = [library.get_verbosity() for library in libraries]
    bars = [library.is_progress_bar_enabled() for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, level, bar in zip(libraries, levels, bars, strict=True):
            library.set_verbosity(level)
            if bar:
                library.enable_progress_bar()
