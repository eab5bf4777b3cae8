"""Finds files and models of the configuration missing on this machine; a file is looked for, never opened."""

import re
from collections.abc import Iterator
from pathlib import Path

from sdstream.config.abilities import Obstacle
from sdstream.config.engine import DiffusionSettings, PassthroughSettings
from sdstream.config.mistakes.existing_file import FORBIDDEN, exists, expanded, is_file
from sdstream.config.mistakes.explain import HERE, suggestion, written
from sdstream.config.model_names import BUNDLED, PICKLES
from sdstream.config.schema import Config

_HUB = {"sd-turbo": "stabilityai/sd-turbo", "sdxl-turbo": "stabilityai/sdxl-turbo"}


def missing_files(config: Config) -> list[Obstacle]:
    """Return the missing files of the engine, by path from the root of the configuration."""
    engine = config.engine
    if isinstance(engine, PassthroughSettings):
        return []
    found = []
    if engine.mask is not None and (obstacle := _no_file(engine.mask, ("engine", "mask"))):
        found.append(obstacle)
    for field, name in (("model", engine.model), ("unet", engine.unet)):
        if name is not None and (reason := _model(name)):
            found.append(Obstacle(("engine", field), reason))
    return found + list(_ip_adapters(engine))


def _ip_adapters(engine: DiffusionSettings) -> Iterator[Obstacle]:
    for name, adapter in engine.ip_adapters.items():
        place = ("engine", "ip_adapters", name)
        if isinstance(adapter.picture, Path) and (obstacle := _no_file(expanded(adapter.picture), (*place, "picture"))):
            yield obstacle
        for field in ("path", "file"):
            if Path(getattr(adapter, field) or "").suffix in PICKLES:  # named above
                reason = "should be a .safetensors file: a pickle may hold programs, and is not opened"
                yield Obstacle((*place, field), reason)


def _no_file(file: Path, path: tuple[str, ...]) -> Obstacle | None:
    name = written(str(file))
    try:
        return None if is_file(file) else Obstacle(path, f"should be a file that exists, not {name}{HERE}")
    except PermissionError:
        return Obstacle(path, f"{FORBIDDEN}, not {name}", forbidden=True)


def absent(config: Config) -> str:
    """Return which source file or model is not on this machine now, but may come before the run; or ""."""
    source, engine = config.source, config.engine
    if source.kind == "ffmpeg" and source.format is None and not _is_there(source.url.get_secret_value()):
        return f"source.url: no such file: {written(source.url.get_secret_value())}{HERE}"
    names = {"model": engine.model, "unet": engine.unet} if engine.kind == "diffusion" else {}
    if engine.kind == "diffusion":
        for adapter, settings in engine.ip_adapters.items():
            for field, name in (("path", settings.path), ("image_encoder", settings.image_encoder)):
                names[f"ip_adapters.{adapter}.{field}"] = (name or "").partition("::")[0] or None
    for field, name in names.items():
        if name is not None and _is_path(name) and not _is_there(name):
            return f"engine.{field}: no such folder or file: {written(name)}{HERE}"
    return ""


def _is_path(model: str) -> bool:
    """Tell whether the name of a model can only be a path, and no hub id."""
    path = Path(model)
    return model[0] in "./~" or "\\" in model or path.suffix == ".safetensors" or path.is_absolute()


def _is_there(name: str) -> bool:
    """Tell whether a file or a folder is there; a URL and FFmpeg's protocols (`pipe:0`) count as there."""
    return bool(re.match(r"\w{2,}:|-$", name)) or exists(expanded(name))


def _model(name: str) -> str:
    """Return why no model can have this name, or "". A hub id has an owner: owner/name."""
    place = expanded(name)
    if exists(BUNDLED / name) or exists(place):
        return ""
    if place.suffix in PICKLES:
        return f"{place.suffix} files may hold programs, and are not opened; take the model's .safetensors file"
    if "/" not in name and "\\" not in name and place.suffix != ".safetensors":
        guess = suggestion(name, ["mini"]) or (_HUB.get(name) and f'; did you mean "{_HUB[name]}"?') or ""
        return f"no model has the name {written(name)}; write mini, a folder, a file, or a hub id (owner/name){guess}"
    return ""
