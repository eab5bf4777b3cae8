"""Refuses parts of a model that contradict each other or that the engine cannot use, from the parts' configs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdstream.config.engine import DiffusionSettings
from sdstream.engine.weights.file_kind import place_of
from sdstream.engine.weights.files import check_safetensors, read_config
from sdstream.errors import Unavailable

TINY_CLASSES = ("AutoencoderTiny", "AutoencoderShuffle")
"""Classes of a model's own tiny autoencoder, in `vae/config.json`."""


TINY = {4: "madebyollin/taesd"}
"""Hub ids of tiny autoencoders by latent channels."""

TINY_XL = "madebyollin/taesdxl"


def refuse_other_folders(folder: Path) -> None:
    """Raise Unavailable for a folder that is no model in diffusers layout, with what the folder holds."""
    if (folder / "unet").is_dir() or (folder / "model_index.json").is_file():
        return
    files = sorted(folder.glob("*.safetensors"))
    found = f"; {files[0]} {place_of(check_safetensors(files[0]).shapes)}".rstrip() if files else ""
    raise Unavailable(
        f"model {folder} is no model in diffusers layout: expected the folders unet, text_encoder, tokenizer, "
        f"scheduler and vae{found if found.partition(' is ')[2] else ''}"
    )


def refuse_mixed_parts(folder: Path, unet: Mapping[str, Any], text_width: int, latent_channels: int) -> None:  # JSON
    """Raise Unavailable unless U-Net, text encoders and autoencoder belong together."""
    if text_width != unet["cross_attention_dim"]:
        raise Unavailable(
            f"{folder}: the text encoder gives {text_width} numbers a token, and the U-Net expects "
            f"{unet['cross_attention_dim']}; both parts must come from the same model"
        )
    if not unet["in_channels"] == unet["out_channels"] == latent_channels:
        raise Unavailable(
            f"{folder}: the U-Net takes {unet['in_channels']} channels and gives {unet['out_channels']}, and the "
            f"autoencoder has {latent_channels} latent channels; expected three equal numbers (an inpainting model "
            "cannot be used)"
        )


def refuse_normalised_latents(config: Mapping[str, Any], path: Path) -> None:  # JSON
    """Refuse an autoencoder with a mean and deviation of the latents by channel: the engine has a single scale."""
    for name, neutral in (("latents_mean", 0.0), ("latents_std", 1.0)):
        values = config.get(name)
        numbers = values if isinstance(values, list | tuple) else [neutral if values is None else values]
        if any(number != neutral for number in numbers):
            raise Unavailable(
                f"{path}: the autoencoder's config has {name}, and sdstream cannot apply {name}: set "
                "engine.autoencoder to tiny, or choose a different model"
            )


def refuse_configs_of_folder(settings: DiffusionSettings, folder: Path) -> None:
    """Raise Unavailable for `engine.configs` beside a model in a folder."""
    if settings.configs is not None:
        raise Unavailable(
            f"engine.configs is for a model in a single file, and {folder} is a folder: remove engine.configs"
        )


def refuse_vae_beside_tiny(settings: DiffusionSettings) -> None:
    """Raise Unavailable for `engine.vae` while the engine uses a tiny autoencoder."""
    if settings.vae is not None and settings.autoencoder != "full":
        raise Unavailable("engine.vae is a full autoencoder, and engine.autoencoder is tiny: set autoencoder to full")


def refuse_tiny_as_full(settings: DiffusionSettings, own: Path) -> None:
    """Raise Unavailable for `engine.autoencoder: full` beside a model with a tiny autoencoder in the folder `own`."""
    kind = read_config(own / "config.json", "autoencoder").get("_class_name", "")
    if settings.vae is None and settings.autoencoder == "full" and kind in TINY_CLASSES:
        raise Unavailable(f"engine.autoencoder: full, but {own} is a tiny autoencoder; set engine.autoencoder to tiny")


def refuse_unless_transformers(folder: Path, what: str) -> dict[str, Any]:  # JSON
    """Return the config of a model in transformers layout; raises Unavailable for any other folder or file."""
    if not folder.is_dir():
        raise Unavailable(f"{what}: {folder} is a file: expected a folder in transformers layout")
    config = read_config(folder / "config.json", what)
    if not isinstance(config.get("model_type"), str):
        kind = config.get("_class_name")
        found = f", found diffusers' class {kind}" if kind else ""
        raise Unavailable(f"{what}: {folder} is no model in transformers layout: expected a model_type{found}")
    return config


def person_label(config: Mapping[str, Any], folder: Path) -> int:  # JSON
    """Return the number of the label `person` of a segmentation model; raises Unavailable without the label."""
    stated = config.get("id2label")
    labels = stated if isinstance(stated, dict) else {}
    numbers = {str(label).lower(): int(number) for number, label in labels.items()}
    if "person" not in numbers:
        listed = ", ".join(numbers) or "none"
        raise Unavailable(f"segmentation model {folder} has no label `person`; the labels are {listed}")
    return numbers["person"]


def tiny_name(settings: DiffusionSettings, channels: int, *, xl: bool) -> str:
    """Return the name of the tiny autoencoder for a model without one; raises Unavailable where none is known."""
    name = settings.tiny_autoencoder or (TINY_XL if xl else TINY.get(channels))
    if name is None:
        raise Unavailable(
            f"no tiny autoencoder is known for {channels} latent channels; set engine.autoencoder to full"
        )
    return name


def refuse_unknown_prediction(scheduler: Mapping[str, Any], path: Path) -> None:  # JSON
    """Raise Unavailable for a checkpoint whose prediction neither the file nor the settings tell."""
    if path.is_file() and "prediction_type" not in scheduler:
        raise Unavailable(
            f"model {path} is Stable Diffusion 2.x, and the file does not show whether the model predicts noise "
            "(2.0 and 2.1 base, SD-Turbo) or velocity (2.0 and 2.1 at 768): set engine.prediction to epsilon or "
            "v_prediction"
        )
