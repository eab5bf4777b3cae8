"""Loads a part of a model (U-Net, autoencoder, text encoder, …) strictly: every weight must be there and fit."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
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
"""Errors of diffusers and transformers on a model whose files contradict each other."""

_VARIANT = re.compile(r"^[\w-]+\.(?P<variant>[A-Za-z]\w*)(-\d+-of-\d+)?\.safetensors$")
"""Name of a file of weights with a variant: `model.fp16.safetensors`, or `model.fp16-00001-of-00002.safetensors`."""


def component(kind: Any, folder: Path, what: str, **options: object) -> Any:  # any diffusers or transformers class
    """Load a component from `folder`; raises Unavailable unless every weight is there and fits.

    `what` names the component in messages; `options` go to `from_pretrained`.
    """
    files = weights(folder, what)
    if variant := _variant(files):
        options["variant"] = variant
    with loading(f"{what}: {folder}"):
        model, loading_info = kind.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
        )
    # transformers' models share files with larger models; each weight in a folder of diffusers belongs to the network
    extra = ("unexpected_keys",) if kind.__module__.startswith("diffusers.") else ()
    for problem in ("missing_keys", "mismatched_keys", "error_msgs", *extra):
        if loading_info.get(problem):
            first = sorted(map(str, loading_info[problem]))[0]
            raise Unavailable(
                f"{what}: the weights in {folder} do not fit config.json: {problem.replace('_', ' ')}: {first}; pull "
                "or copy the model again"
            )
    _refuse_integers(model, files, what)
    with loading(f"{what}: {folder}"):
        refuse_not_finite(model.state_dict())
    return _frozen(model)


def _variant(files: Iterable[Path]) -> str | None:
    """Return the variant of a folder with weights of variants only, fp16 before further variants; None otherwise."""
    matches = [_VARIANT.match(file.name) for file in files]
    names = {match["variant"] for match in matches if match}
    if not all(matches) or not names:
        return None
    return "fp16" if "fp16" in names else min(names)


def _refuse_integers(model: Any, files: Mapping[Path, Header], what: str) -> None:
    """Refuse integer weights: the libraries cast integers silently. Integer buffers are fine."""
    names = {name.removeprefix("text_model.") for name, _ in model.named_parameters()}
    for file, header in files.items():
        for name, dtype in header.dtypes.items():
            if name.removeprefix("text_model.") in names and "F" not in dtype:
                raise Unavailable(
                    f"{what}: {file}: {name} has dtype {dtype}: expected a floating-point dtype; pull or copy the "
                    "model again"
                )


@contextmanager
def loading(where: str) -> Iterator[None]:
    """Turn any of LoadErrors inside the block into Unavailable; `where` begins the message."""
    try:
        with quiet():
            yield
    except LoadErrors as error:
        raise Unavailable(f"{where} cannot be loaded: {reason(error)}") from error


def empty(make: Callable[[], Any]) -> Any:  # any module
    """Make a module without memory for the weights; `fill` brings the weights."""
    from accelerate import init_empty_weights  # type: ignore[import-untyped]  # publishes no types

    with init_empty_weights():
        return make()


def fill(model: Any, weights: Mapping[str, Tensor], dtype: torch.dtype) -> Any:  # any module
    """Give an empty module the weights, cast to `dtype`.

    Raises ValueError unless names and shapes fit exactly and all numbers are finite.
    """
    _compare(model.state_dict(), weights)
    model.load_state_dict({name: tensor.to(dtype) for name, tensor in weights.items()}, assign=True)
    refuse_not_finite(model.state_dict())
    return _frozen(model)


def refuse_unused(state: Mapping[str, Tensor], converted: Mapping[str, Tensor], what: str) -> None:
    """Raise ValueError if a converter left a weight of `state` out of `converted`: converters skip unknown names."""
    used = {id(tensor) for tensor in converted.values()}
    if left := [key for key, tensor in state.items() if id(tensor) not in used]:
        raise ValueError(f"{min(left)} has no place in a {what}")


def refuse_not_finite(state: Mapping[str, Tensor]) -> None:
    """Raise ValueError for a weight with NaN or infinity, in the file or since the cast to the dtype in use."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.numel() and not _finite(tensor):
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise ValueError(
                f"{name} has NaN or infinite numbers in {dtype}: the file is damaged, or the numbers are too large "
                f"for {dtype}; pull or copy the file again, or set engine.dtype to float32"
            )


def _finite(tensor: Tensor) -> bool:
    least, greatest = torch.aminmax(tensor)  # both are NaN if any number is; no second tensor in memory
    return bool(torch.isfinite(least) & torch.isfinite(greatest))


def _compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    if missing := expected.keys() - found.keys():
        raise ValueError(f"{min(missing)} is missing")
    if unknown := found.keys() - expected.keys():
        raise ValueError(f"{min(unknown)} has no place in the architecture")
    for name, tensor in found.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(f"{name} is {list(tensor.shape)}: the architecture expects {list(expected[name].shape)}")
        if not tensor.is_floating_point():
            raise ValueError(f"{name} has dtype {tensor.dtype}: expected a floating-point dtype")


def _frozen(model: Any) -> Any:
    freeze: Callable[[bool], object] = model.requires_grad_
    freeze(False)
    return model.eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and notices out of the log; errors are raised as always."""
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
