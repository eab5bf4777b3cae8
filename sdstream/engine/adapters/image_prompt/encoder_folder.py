"""Finds the folder of an IP-Adapter's image encoder, and reads the sizes from the config: torch is not needed."""

from dataclasses import dataclass
from pathlib import Path

from sdstream.config.engine import IpAdapterSettings
from sdstream.config.mistakes.existing_file import exists, expanded
from sdstream.engine.weights.files import HUB_ID, from_hub, read_config
from sdstream.engine.weights.single_file import SEPARATOR, split_name
from sdstream.errors import Unavailable

FOLDER = "image_encoder"
"""Name of the encoder's folder beside an IP-Adapter's file."""

FILES = ("*.json", "*.safetensors")
"""Files of an encoder's folder."""


@dataclass(frozen=True)
class EncoderFolder:
    """An image encoder on disk."""

    folder: Path
    pooled: int
    """Numbers in the embedding of a picture."""
    patch: int
    """Numbers in the embedding of a patch."""


def locate_encoder(settings: IpAdapterSettings, file: Path, setting: str, *, fetch: bool = True) -> EncoderFolder:
    """Return the image encoder for the IP-Adapter's file `file`; raises Unavailable.

    `setting` is the name of the IP-Adapter's settings. Without `fetch`, only this machine is searched.
    """
    if settings.image_encoder is None:
        folder = _beside(settings, file, fetch=fetch)
    else:
        name, _, inner = settings.image_encoder.partition(SEPARATOR)
        path = expanded(name)
        folder = _fetched(name, inner) if fetch and not exists(path) and HUB_ID.match(name) else path / inner
    if not (folder / "config.json").is_file():
        raise Unavailable(
            f"{setting}: no image encoder in {folder}: set {setting}.image_encoder to a CLIP image encoder in "
            "transformers layout, such as h94/IP-Adapter::models/image_encoder"
        )
    return _read(folder)


def _beside(settings: IpAdapterSettings, file: Path, *, fetch: bool) -> Path:
    """Return the folder beside the file, fetched from the file's repository if need be."""
    name, _ = split_name(settings.path, settings.file)
    if not fetch or exists(expanded(name)) or (file.parent / FOLDER / "config.json").is_file():
        return file.parent / FOLDER
    snapshot = next((folder for folder in file.parents if folder.parent.name == "snapshots"), file.parent)
    return _fetched(name, (file.parent / FOLDER).relative_to(snapshot).as_posix())


def _fetched(name: str, inner: str) -> Path:
    wanted = [f"{inner}/{pattern}" if inner else pattern for pattern in FILES]
    return from_hub(name, "image encoder", wanted) / inner


def _read(folder: Path) -> EncoderFolder:
    config = read_config(folder / "config.json", "image encoder")
    kind = config.get("model_type")
    vision = config if kind == "clip_vision_model" else config.get("vision_config")
    if kind not in ("clip_vision_model", "clip") or not isinstance(vision, dict):
        raise Unavailable(
            f"image encoder: {folder} is a network of the kind {kind}: expected a CLIP image encoder "
            "(clip_vision_model), such as h94/IP-Adapter::models/image_encoder"
        )
    sizes = config.get("projection_dim", 512), vision.get("hidden_size", 768)  # the defaults of transformers
    if not all(isinstance(size, int) for size in sizes):
        raise Unavailable(
            f"image encoder: {folder}/config.json: projection_dim and hidden_size should be whole numbers"
        )
    return EncoderFolder(folder, *sizes)
