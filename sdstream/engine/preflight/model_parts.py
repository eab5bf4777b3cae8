"""Reads the parts of a model on disk, by headers and configs alone: what `models.load` refuses before any weight."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdstream.config.engine import DiffusionSettings
from sdstream.engine.distillations import choose_sampling
from sdstream.engine.weights.base_model import BaseModel
from sdstream.engine.weights.checkpoint_header import CheckpointHeader
from sdstream.engine.weights.files import CONFIGS, MODEL, NotFetched, locate, read_config, weights
from sdstream.engine.weights.part_configs import (
    TINY_CLASSES,
    refuse_configs_of_folder,
    refuse_mixed_parts,
    refuse_normalised_latents,
    refuse_other_folders,
    refuse_tiny_as_full,
    refuse_unknown_prediction,
)
from sdstream.engine.weights.scheduler_config import checked

UNET_DEFAULTS = {"in_channels": 4, "out_channels": 4, "cross_attention_dim": 1280, "addition_embed_type": None}
"""Fields of a U-Net config that may be left out, with diffusers' defaults."""


@dataclass(frozen=True)
class ModelParts:
    """What additions to a model need to know of the model."""

    unet: Mapping[str, Any]  # JSON
    """Config of the U-Net."""
    token_widths: tuple[int, ...]
    """Numbers of a token in each text encoder."""

    @property
    def base(self) -> BaseModel:
        """The base model."""
        return BaseModel.of(self.unet)


def read_parts(settings: DiffusionSettings) -> ModelParts:
    """Read the model of the settings as far as fetched; raises Unavailable as the start of a run would.

    Raises NotFetched for a model of the hub that is not on this machine.
    """
    path = locate(settings.model, "model", MODEL, fetch=False)
    return _of_file(path, settings) if path.is_file() else _of_folder(path, settings)


def folder_of(path: Path, part: str) -> Path:
    """Return the folder of a part: `path` itself, or the part's folder of a whole model.

    Raises NotFetched for a folder of the hub's cache without the part's config.
    """
    folder = path / part if (path / part).is_dir() else path
    if path.parent.name == "snapshots" and not (folder / "config.json").is_file():
        raise NotFetched(f"{folder} is not fetched")
    return folder


def _of_folder(folder: Path, settings: DiffusionSettings) -> ModelParts:
    refuse_configs_of_folder(settings, folder)
    folder_of(folder, "unet")
    refuse_other_folders(folder)
    if settings.unet is None:
        weights(folder / "unet", "U-Net")
    unet = UNET_DEFAULTS | read_config(folder / "unet" / "config.json", "U-Net")
    xl = BaseModel.of(unet).xl
    names = ["text_encoder_2"] if xl else ["text_encoder"]
    if xl and (folder / "text_encoder").is_dir():
        names.insert(0, "text_encoder")
    for name in names:
        weights(folder / name, "text encoder")
    parts = ModelParts(unet, tuple(_hidden(folder / name / "config.json") for name in names))
    _refuse_scheduler(read_config(folder / "scheduler" / "scheduler_config.json", "scheduler"), settings, folder)
    _refuse_autoencoder(folder / "vae", settings, parts, folder)
    return parts


def _refuse_autoencoder(own: Path, settings: DiffusionSettings, parts: ModelParts, folder: Path) -> None:
    config = read_config(own / "config.json", "autoencoder")
    refuse_tiny_as_full(settings, own)
    tiny = config.get("_class_name") in TINY_CLASSES
    if settings.vae is None and settings.tiny_autoencoder is None and tiny == (settings.autoencoder == "tiny"):
        weights(own, "autoencoder")
        refuse_mixed_parts(folder, parts.unet, sum(parts.token_widths), int(config.get("latent_channels", 4)))
        refuse_normalised_latents(config, folder)


def _of_file(file: Path, settings: DiffusionSettings) -> ModelParts:
    configs = None if settings.configs is None else locate(settings.configs, "configs", CONFIGS, fetch=False)
    header = CheckpointHeader(file, configs)
    _refuse_scheduler(header.scheduler(), settings, file)
    header.refuse_without_text_encoder()
    if settings.vae is None and settings.autoencoder == "full":
        header.refuse_without_autoencoder()
    widths = tuple(int(header.config(name).get("hidden_size", 512)) for name in header.text_encoders())
    return ModelParts(UNET_DEFAULTS | header.config("unet"), widths)


def _refuse_scheduler(config: dict[str, Any], settings: DiffusionSettings, path: Path) -> None:  # JSON
    sampling = choose_sampling(settings)
    stated = config | sampling.fields
    refuse_unknown_prediction(stated, path)
    checked(stated, f"scheduler config of model {path}", sampling.choice)


def _hidden(config: Path) -> int:
    return int(read_config(config, "text encoder").get("hidden_size", 512))
