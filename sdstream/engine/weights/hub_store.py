"""The models on this machine, bundled or fetched from the hub: list, fetch and check."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from sdstream.config.model_names import BUNDLED
from sdstream.engine.weights.files import HUB_ID, MODEL, check_safetensors, locate
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
    """Check header and checksum of every file of a model; raises Unavailable for the first broken or missing file."""
    path = locate(name, "model", MODEL)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    sums = _published(path) if path.is_dir() else {}
    checked = []
    for file in files:
        if file.suffix == ".safetensors":
            check_safetensors(file)
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
