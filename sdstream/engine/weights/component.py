"""Loads one part of a model (U-Net, autoencoder, text encoder, …) strictly: every weight must be there and fit."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from sdstream.engine.weights.files import Header, weights
from sdstream.errors import Unavailable, reason

LoadErrors: tuple[type[Exception], ...] = (
    OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, ArithmeticError, AssertionError,
    SafetensorError,
)  # fmt: skip
"""What diffusers and transformers raise on a model that is not what it says."""


def component(kind: Any, folder: Path, what: str, **options: object) -> Any:  # any diffusers or transformers class
    """Load one component and insist that every weight is there and fits; raises Unavailable."""
    files = weights(folder, what)
    if all(".fp16." in file.name for file in files):
        options["variant"] = "fp16"
    with loading(f"{what}: {folder}"):
        model, told = kind.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
        )
    for problem in ("missing_keys", "mismatched_keys", "error_msgs"):
        if told.get(problem):
            first = sorted(map(str, told[problem]))[0]
            raise Unavailable(f"{what}: {folder} does not fit its config.json: {problem.replace('_', ' ')}: {first}")
    _refuse_whole_numbers(model, files, what)
    return _frozen(model)


def _refuse_whole_numbers(model: Any, files: Mapping[Path, Header], what: str) -> None:
    """Refuse weights that are no fractions, which the libraries convert without a word; counters may be whole."""
    names = {name.removeprefix("text_model.") for name, _ in model.named_parameters()}
    for file, header in files.items():
        for name, kind in header.kinds.items():
            if name.removeprefix("text_model.") in names and "F" not in kind:
                raise Unavailable(
                    f"{what}: {file}: {name} is of {kind}, which is no kind of weight; pull or copy it again"
                )


@contextmanager
def loading(where: str) -> Iterator[None]:
    """Turn what goes wrong inside into Unavailable; `where` begins the message."""
    try:
        with quiet():
            yield
    except LoadErrors as error:
        raise Unavailable(f"{where} cannot be loaded: {reason(error)}") from error


def empty(make: Callable[[], Any]) -> Any:  # any module
    """Make a module without room for its weights, to be filled."""
    from accelerate import init_empty_weights  # type: ignore[import-untyped]  # publishes no types

    with init_empty_weights():
        return make()


def fill(model: Any, weights: Mapping[str, Tensor], dtype: torch.dtype) -> Any:  # any module
    """Give an empty module its weights: all that it has, no others, each of its shape; raises ValueError."""
    _compare(model.state_dict(), weights)
    model.load_state_dict({name: tensor.to(dtype) for name, tensor in weights.items()}, assign=True)
    return _frozen(model)


def refuse_unused(state: Mapping[str, Tensor], converted: Mapping[str, Tensor], what: str) -> None:
    """Raise ValueError for a weight of `state` that a converter, which takes what it knows, left out of `converted`."""
    used = {id(tensor) for tensor in converted.values()}
    if left := [key for key, tensor in state.items() if id(tensor) not in used]:
        raise ValueError(f"{min(left)} is not in a {what}")


def _compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    if missing := expected.keys() - found.keys():
        raise ValueError(f"{min(missing)} is missing")
    if others := found.keys() - expected.keys():
        raise ValueError(f"{min(others)} is not in its architecture")
    for name, tensor in found.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(f"{name} is {list(tensor.shape)}, and its architecture wants {list(expected[name].shape)}")
        if not tensor.is_floating_point():
            raise ValueError(f"{name} is of {tensor.dtype}, which is no kind of weight")


def _frozen(model: Any) -> Any:
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
