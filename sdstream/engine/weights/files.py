"""Finds models on disk, in the bundle and on the hub, and checks the header of safetensors files before opening."""

import json
import math
import re
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdstream.config.mistakes.existing_file import exists, expanded
from sdstream.config.model_names import BUNDLED, PICKLES
from sdstream.engine.weights.fetched_bytes import counter
from sdstream.engine.weights.folder_safety import refuse_index, refuse_links, refuse_unsafe
from sdstream.engine.weights.licence import licence
from sdstream.errors import Forbidden, Unavailable, reason
from sdstream.ipc import progress
from sdstream.ipc.loading import Phase
from sdstream.log import get_logger

log = get_logger()

HEADER_LIMIT = 32 * 2**20
"""Largest safetensors header in bytes; the largest published headers have about 1 MiB."""

_DIMENSIONS, _LARGEST = 16, 2**48
"""Bounds of a tensor's shape: products of numbers of thousands of digits take minutes."""

HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")
_SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2}
_SIZES |= {"I32": 4, "U32": 4, "F32": 4, "F64": 8, "I64": 8, "U64": 8}


CONFIGS = ("*.json", "README.md", "*/*.json", "*/*.txt")
MODEL = (*CONFIGS, "*/*.safetensors")
"""Files to fetch of a model. A file of weights beside the model's folders holds the same weights again, and is left
out."""
COMPONENT = (*MODEL, "*.safetensors")
TOKENIZER = (
    "README.md",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
)


def may_be_on_hub(name: str) -> bool:
    """Return whether a name may be a hub id, owner/model; the name of a file of weights is a path."""
    return bool(HUB_ID.match(name)) and not name.endswith(".safetensors") and not expanded(name).is_absolute()


class NotFetched(Unavailable):
    """A model of the hub is not on this machine yet, or not whole; the start of a run would fetch the model."""


def locate(name: str, what: str, wanted: Sequence[str] = COMPONENT, *, fetch: bool = True) -> Path:
    """Return the folder or file of the model `name`: on disk, bundled, or fetched from the hub (the files `wanted`).

    Raises Unavailable when no such model is found, Forbidden without permission; `what` names the part in the message.
    Without `fetch`, a model of the hub is taken as far as fetched before, else NotFetched is raised.
    """
    path = expanded(name)
    if exists(path):
        try:
            path.stat()
        except PermissionError as error:
            raise Forbidden(f"{what} {name!r}: this user may not look at {path}; change the permissions") from error
        return path
    if (bundled := BUNDLED / name).is_dir() and name.isidentifier():
        return bundled
    if may_be_on_hub(name):
        return from_hub(name, what, wanted) if fetch else fetched(name)
    raise Unavailable(
        f"{what} {name!r} was not found: expected a folder in diffusers layout, a .safetensors file or a hub id "
        "such as stabilityai/sd-turbo; try `sdstream models list`"
    )


def hub_errors() -> tuple[type[Exception], ...]:
    """Return the errors of the hub's client; a connection lost in mid-file raises errors of the HTTP library too."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    http_errors = [base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError"]
    return (
        LocalEntryNotFoundError, HfHubHTTPError, OSError, RuntimeError, AttributeError, ValueError,
        *(base for base in http_errors if issubclass(base, Exception)),
    )  # fmt: skip


def from_hub(name: str, what: str, wanted: Sequence[str]) -> Path:
    """Fetch the files `wanted` (shell patterns) of the repository `name`, and return the folder; raises Unavailable."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.file_download import repo_folder_name

    known = (Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model") / "snapshots").is_dir()
    try:
        with progress.between(Phase.FETCHING) as tell:
            folder = Path(snapshot_download(name, allow_patterns=list(wanted), tqdm_class=counter(tell)))
    except hub_errors() as error:
        raise Unavailable(
            f"{what} {name!r} is not on this machine and could not be fetched from the hub "
            f"({reason(error, named=True)}); with a network, run `sdstream models pull {name}`, or name a folder"
        ) from error
    if not known:
        log.info("model fetched", model=name, licence=licence(folder, name))
    return folder


def fetched(name: str) -> Path:
    """Return the folder of a repository of the hub, as far as fetched before; raises NotFetched."""
    from huggingface_hub import constants

    repository = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    try:
        folder = repository / "snapshots" / (repository / "refs" / "main").read_text().strip()
    except OSError as error:
        raise NotFetched(f"{name} was never fetched; run `sdstream models pull {name}`") from error
    return folder


def read_config(path: Path, what: str) -> dict[str, Any]:  # JSON
    """Read a component's config; raises Unavailable."""
    refuse_links(path, what)
    try:
        if (size := path.stat().st_size) > HEADER_LIMIT:
            raise ValueError(f"{size} bytes, and a config has {HEADER_LIMIT} at most")
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Unavailable(f"{what}: {path} cannot be read: {error}; pull or copy the model again") from error
    if not isinstance(config, dict):
        raise Unavailable(f"{what}: {path} is not a config: expected a JSON object")
    return config


def refuse_pickle(file: Path, where: str) -> None:
    """Raise Unavailable for a pickle: reading a pickle can run code. `where` begins the message."""
    if file.suffix in PICKLES:
        raise Unavailable(f"{where} is a pickle, and a pickle can run any code: expected a .safetensors file")


def weights(folder: Path, what: str) -> dict[Path, "Header"]:
    """Return a component's safetensors files with the checked header of each; raises Unavailable."""
    config = read_config(folder / "config.json", what)
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        for file in folder.iterdir():
            refuse_pickle(file, f"{what}: {file}")
        raise Unavailable(f"{what}: {folder} has no .safetensors file; pull or copy the model again")
    for file in found:
        refuse_links(file, what)
    headers = {file: check_safetensors(file) for file in found}
    for index in folder.glob("*.index*.json"):
        refuse_index(index, read_config(index, what), what)
    refuse_unsafe(folder, config, headers, what)
    return headers


@dataclass(frozen=True)
class Header:
    """Header of a safetensors file."""

    shapes: dict[str, tuple[int, ...]]
    """Name -> shape of each tensor."""
    dtypes: dict[str, str]
    """Name -> dtype of each tensor, as safetensors spells dtypes: F32, I64, …"""
    metadata: dict[str, str]


def check_safetensors(file: Path) -> Header:
    """Read a safetensors header, and compare header and file size; raises Unavailable for a contradiction."""
    try:
        return _check_header(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error, RecursionError) as error:
        raise Unavailable(f"{file} is no whole safetensors file: {error}; pull or copy the file again") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # JSON
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("the header names a tensor twice")
    return entries


def _count(shape: Sequence[int]) -> int:
    """Return the number of numbers of a tensor; raises ValueError for a shape that no tensor has."""
    if len(shape) > _DIMENSIONS or not all(type(size) is int and 0 <= size < _LARGEST for size in shape):
        raise ValueError(f"a shape of {len(shape)} sizes is no shape of a tensor")
    return math.prod(shape)


def _check_header(file: Path) -> Header:
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("a pipe, a device or a folder stands in its place")
    size = found.st_size
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(HEADER_LIMIT, size - 8):
            raise ValueError(f"the header claims {length} bytes, and the file has {size}")
        entries = json.loads(stream.read(length), object_pairs_hook=_without_duplicates)
    metadata = {str(key): str(value) for key, value in (entries.pop("__metadata__", None) or {}).items()}
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = entry["data_offsets"]
        if start != end or stop < start or stop - start != _count(entry["shape"]) * _SIZES[entry["dtype"]]:
            raise ValueError(f"tensor {name!r:.80} does not fit the bytes {start} to {stop}")
        end = stop
    if end != size - 8 - length:
        raise ValueError(f"expected {8 + length + end} bytes, and the file has {size}")
    shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
    return Header(shapes, {name: entry["dtype"] for name, entry in entries.items()}, metadata)
