"""The models on this machine, bundled or fetched from the hub: list, fetch and check the files."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sdstream.config.model_names import BUNDLED
from sdstream.engine.weights.component import loading, refuse_not_finite
from sdstream.engine.weights.files import HUB_ID, MODEL, check_safetensors, locate, read_config, refuse_pickle
from sdstream.engine.weights.licence import licence
from sdstream.errors import Unavailable

SUMS = "SHA256SUMS"
"""File of checksums in a model's folder, in the format of `sha256sum`."""

_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Stored:
    """A model on this machine."""

    name: str
    origin: str
    """`bundled` or `hub`."""
    path: str
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Checked:
    """A checked file of a model."""

    file: str
    size: int
    """Bytes."""
    sha256: str
    state: str
    """`matches` or `differs` from the published checksum; `unlisted` without a published checksum."""


def stored() -> list[Stored]:
    """Return the models on this machine: bundled models first, then the hub's by name."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    folders = sorted(BUNDLED.iterdir()) if BUNDLED.is_dir() else []
    found = [
        Stored(folder.name, "bundled", str(folder), sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()))
        for folder in folders
        if (folder / "unet").is_dir()
    ]
    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return found
    hub = [Stored(r.repo_id, "hub", str(r.repo_path), r.size_on_disk) for r in repos if r.repo_type == "model"]
    return found + sorted(hub, key=lambda model: model.name)


def pull(name: str) -> tuple[Path, str]:
    """Fetch a model from the hub; return the folder, and a line about the licence. Raises Unavailable."""
    if not HUB_ID.match(name):
        raise Unavailable(f"{name!r} is no hub id: expected OWNER/MODEL, such as stabilityai/sd-turbo")
    folder = locate(name, "model", MODEL)
    return folder, licence(folder, name)


def verify(name: str) -> list[Checked]:
    """Check header, numbers and checksum of every file of a model, or of any file of weights.

    Raises Unavailable for the first file that is broken, missing, or has a number that is NaN or infinite. Whether
    names and shapes are a model's shows on loading the model.
    """
    path = locate(name, "model", MODEL)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    sums = _published(path) if path.is_dir() else {}
    checked = []
    for file in files:
        refuse_pickle(file, f"model {name}: {file}")
        if file.suffix == ".safetensors":
            _check_numbers(file)
        relative = file.name if path.is_file() else file.relative_to(path).as_posix()
        digest = _digest(file)
        listed = sums.get(relative) or _blob(file)
        state = "unlisted" if listed is None else "matches" if listed == digest else "differs"
        checked.append(Checked(relative, file.stat().st_size, digest, state))
    if wrong := [check.file for check in checked if check.state == "differs"]:
        raise Unavailable(
            f"model {name}: {path / wrong[0]} differs from the published file; pull or copy the model again"
        )
    if missing := sums.keys() - {check.file for check in checked}:
        raise Unavailable(f"model {name}: {path / min(missing)} is missing; pull or copy the model again")
    return checked


def own_autoencoder(name: str) -> Literal["tiny", "full"] | None:
    """Return the kind of autoencoder that a model brings, as `engine.autoencoder` spells kinds; None for no model."""
    path = locate(name, "model", MODEL)
    if path.is_file():
        names = check_safetensors(path).shapes if path.suffix == ".safetensors" else {}
        if not any(key.startswith("model.diffusion_model.") for key in names):
            return None
        return "full" if any(key.startswith("first_stage_model.") for key in names) else "tiny"
    if not (path / "unet").is_dir() and not (path / "model_index.json").is_file():
        return None
    config = read_config(path / "vae" / "config.json", "autoencoder")
    return "full" if config.get("_class_name") == "AutoencoderKL" else "tiny"


def _check_numbers(file: Path) -> None:
    from safetensors import safe_open

    names = check_safetensors(file).shapes
    with loading(str(file)), safe_open(file, framework="pt") as opened:
        for name in names:
            refuse_not_finite({name: opened.get_tensor(name)})


def _published(folder: Path) -> dict[str, str]:
    file = folder / SUMS
    lines = file.read_text().splitlines() if file.is_file() else []
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    if any(len(pair) != 2 or not _SHA256.match(pair[0]) for pair in pairs):
        raise Unavailable(f"{file} is no list of checksums: expected lines in the format of sha256sum")
    return {name.strip().removeprefix("*").removeprefix("./"): digest for digest, name in pairs}


def _blob(file: Path) -> str | None:
    """Return the checksum of a large file in the hub's cache: a link to a blob named by checksum; else None."""
    name = file.resolve().name
    return name if file.is_symlink() and _SHA256.match(name) else None


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
