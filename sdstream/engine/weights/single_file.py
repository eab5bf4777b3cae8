"""Finds a single file of weights: a file on disk, or a named file of a folder or of a repository on the hub.

A repository may hold a dozen files of gigabytes each, so the choice comes before the download.
"""

from collections.abc import Sequence
from glob import escape
from pathlib import Path, PurePosixPath

from sdstream.engine.weights.files import (
    HUB_ID,
    NotFetched,
    fetched,
    from_hub,
    hub_errors,
    locate,
    may_be_on_hub,
    refuse_pickle,
)
from sdstream.errors import Unavailable

SUFFIX = ".safetensors"

SEPARATOR = "::"
"""Between a folder or repository and a file."""

USUAL = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""Names by which diffusers and PEFT save a LoRA: taken among several files."""

LISTED = 20
"""Files named in a refusal."""


def locate_file(name: str, file: str | None, what: str, setting: str, *, fetch: bool = True) -> Path:
    """Return the file of weights of `name`: a file, a folder, or a hub id; `file` names a file of the latter two.

    Only the chosen file is fetched, with the model card and the config of a LoRA in PEFT's layout. Raises Unavailable
    with the files to choose from; `what` and `setting` name the part and its setting in the message. Without `fetch`,
    a file that was not fetched before raises NotFetched.
    """
    name, file = split_name(name, file)
    path = Path(name).expanduser()
    if path.is_file():
        if file is not None:
            raise Unavailable(f"{setting}: {path} is a file: remove the name of a second file, {file}")
        return _safe(path, what)
    if path.is_dir():
        names = sorted(found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file())
        return _safe(path / _choice(names, file, f"{what} {name!r}", setting), what)
    if may_be_on_hub(name):
        return _safe(_fetched(name, file, what, setting) if fetch else _before(name, file), what)
    return locate(name, what)  # tells where a model may be


def _safe(file: Path, what: str) -> Path:
    refuse_pickle(file, f"{what}: {file}")
    if file.suffix != SUFFIX:
        raise Unavailable(f"{what}: {file}: expected a {SUFFIX} file")
    return file


def split_name(name: str, file: str | None) -> tuple[str, str | None]:
    """Split `name::file` and `owner/repository/file`; a path that exists stays whole."""
    if Path(name).expanduser().exists():
        return name, file
    whole, separator, inner = name.partition(SEPARATOR)
    if separator and inner:
        return whole, inner
    parts = name.split("/")
    repository, inner = "/".join(parts[:2]), "/".join(parts[2:])
    if inner.endswith(SUFFIX) and HUB_ID.match(repository) and not Path(parts[0]).is_dir():
        return repository, inner
    return name, file


def _choice(names: Sequence[str], file: str | None, where: str, setting: str) -> str:
    """Return the chosen file of `names`; raises Unavailable without a choice."""
    weights = [name for name in names if name.endswith(SUFFIX)]
    if not weights:
        for name in names:
            refuse_pickle(Path(name), f"{where}: {name}")
        raise Unavailable(f"{where} has no {SUFFIX} file; choose a different folder or repository")
    if file is None:
        usual = [name for name in USUAL if name in weights]
        found = usual[:1] or (weights if len(weights) == 1 else [])
    else:
        same_end = [name for name in weights if PurePosixPath(name).name == file]
        found = [file] if file in names else same_end
    if len(found) == 1:
        return found[0]
    listed = ", ".join(weights[:LISTED]) + (f" and {len(weights) - LISTED} more" if len(weights) > LISTED else "")
    problem = f"has {len(weights)} files" if file is None else f"has no single file {file}"
    raise Unavailable(f"{where} {problem}: set {setting}.file to one of: {listed}")


def _fetched(name: str, file: str | None, what: str, setting: str) -> Path:
    names = _published(name)
    if names is None:  # without a network: the files that were fetched before
        folder = from_hub(name, what, [])
        names = sorted(found.relative_to(folder).as_posix() for found in folder.rglob("*") if found.is_file())
    chosen = _choice(names, file, f"{what} {name!r}", setting)
    config = PurePosixPath(chosen).with_name("adapter_config.json").as_posix()
    found = from_hub(name, what, [escape(wanted) for wanted in (chosen, config, "README.md")]) / chosen
    if not found.is_file():
        raise Unavailable(f"{what} {name!r}: {chosen} is not on this machine, and could not be fetched from the hub")
    return found


def _before(name: str, file: str | None) -> Path:
    """Return the file of a repository, if fetched before; raises NotFetched."""
    folder = fetched(name)
    names = sorted(found.relative_to(folder).as_posix() for found in folder.rglob("*") if found.is_file())
    try:
        return folder / _choice(names, file, name, "")
    except Unavailable as error:  # the rest of the repository is unknown here
        raise NotFetched(str(error)) from error


def _published(name: str) -> list[str] | None:
    """Return the names of a repository's files; None without an answer from the hub."""
    from huggingface_hub import HfApi

    try:
        siblings = HfApi().model_info(name).siblings
    except hub_errors():
        return None
    return sorted(sibling.rfilename for sibling in siblings or ())
