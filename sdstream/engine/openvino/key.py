"""Converted and compiled graphs on disk, so that the next start takes a second and not ten.

Each lies in a file behind its own checksum: OpenVINO would run one whose weights were damaged, and show noise.
"""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import nn

from sdstream.engine.openvino.runtime import Processor
from sdstream.log import get_logger

log = get_logger()

FORMAT = 3
"""Counts up when the graphs are built in another way from the same model."""

KEEP = 8
"""Models and sizes that are kept; those used longest ago go first."""

_SUM = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Key:
    """Everything that a graph depends on."""

    format: int
    weights: str
    configs: tuple[str, ...]
    size: tuple[int, int]
    """(width, height) of the picture."""
    prompt: tuple[int, ...]
    """Numbers of tokens, and of numbers in each."""
    ranges: str
    """What is rounded, and between which numbers (see `int8`)."""
    torch: str
    diffusers: str
    processor: Processor

    @property
    def digest(self) -> str:
        """A name for the folder."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:32]

    def text(self) -> str:
        """Write it out as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)


def make_key(
    modules: tuple[Any, ...], size: tuple[int, int], prompt: tuple[int, ...], ranges: str, processor: Processor
) -> Key:
    """Look at the very numbers of `modules` (diffusers models): a fused LoRA has changed them."""
    configs = tuple(json.dumps(dict(module.config), sort_keys=True, default=str) for module in modules)
    versions = (torch.__version__, diffusers.__version__)
    return Key(FORMAT, _digest(modules), configs, size, prompt, ranges, *versions, processor)


def _digest(modules: tuple[nn.Module, ...]) -> str:
    digest = hashlib.sha256()
    for module in modules:
        for name, tensor in module.state_dict().items():
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def default_folder() -> Path:
    """The user's own cache folder for graphs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sdstream" / "openvino"


class GraphCache:
    """The files of one key. What cannot be read or written is logged, and the caller builds it anew."""

    def __init__(self, root: Path, key: Key) -> None:
        self._folder = root / key.digest
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "key.json").write_text(key.text())  # which also marks the folder as used last
            os.utime(self._folder)
            _prune(root)
        except OSError as error:
            log.warning("graphs cannot be kept", folder=str(self._folder), reason=str(error))

    def read(self, name: str) -> bytes | None:
        """Return what was kept under `name`, or None if nothing was, or if it is damaged."""
        try:
            content = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("a kept graph cannot be read", file=str(self._folder / name), reason=str(error))
            return None
        told, body = content[:_SUM], content[_SUM:]
        if hashlib.sha256(body).digest() != told:
            log.warning("a kept graph is damaged and is built anew", file=str(self._folder / name))
            return None
        return body

    def keep(self, name: str, body: bytes) -> None:
        """Keep `body` under `name`: whole or not at all, whoever else writes it at the same time."""
        try:
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=f".{name}.")
        except OSError:
            return  # said when the folder could not be made
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest())
                file.write(body)
            os.replace(temporary, self._folder / name)
        except OSError as error:
            Path(temporary).unlink(missing_ok=True)
            log.warning("a graph cannot be kept", file=str(self._folder / name), reason=str(error))


def _prune(root: Path) -> None:
    folders = sorted((folder for folder in root.iterdir() if folder.is_dir()), key=lambda f: f.stat().st_mtime)
    for folder in folders[:-KEEP]:
        shutil.rmtree(folder, ignore_errors=True)
