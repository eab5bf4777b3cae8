"""Loads a model from a folder or a file, strictly: an error names the missing, truncated or misshapen part."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdstream.config.engine import DiffusionSettings
from sdstream.engine.adapters.lora import fuse_loras
from sdstream.engine.autoencoder import Autoencoder
from sdstream.engine.checkpoint import Checkpoint
from sdstream.engine.conditioning.text_encoder import TextEncoder
from sdstream.engine.denoising.schedule import NoiseTable
from sdstream.engine.distillations import ModelSampling, choose_sampling
from sdstream.engine.scheduler import noise_table
from sdstream.engine.shared_module import copy_structure
from sdstream.engine.size import Size
from sdstream.engine.weights.activation_ranges import ModelRanges, read_ranges
from sdstream.engine.weights.checkpoint_header import ARCHITECTURES
from sdstream.engine.weights.component import component
from sdstream.engine.weights.files import CONFIGS, MODEL, locate, read_config
from sdstream.engine.weights.part_configs import (
    refuse_configs_of_folder,
    refuse_mixed_parts,
    refuse_normalised_latents,
    refuse_other_folders,
    refuse_tiny_as_full,
    refuse_unknown_prediction,
    refuse_vae_beside_tiny,
    tiny_name,
)
from sdstream.engine.weights.tiny_autoencoder_file import load_tiny_autoencoder
from sdstream.engine.weights.tiny_autoencoder_header import is_tiny_file
from sdstream.engine.weights.unet_file import load_unet
from sdstream.engine.weights.vae_file import load_vae
from sdstream.errors import Unavailable
from sdstream.log import get_logger

log = get_logger()


@dataclass(frozen=True, eq=False)
class Model:
    """The parts of a checkpoint for the engine, on the device, ready to run."""

    unet: Any  # diffusers publishes no types
    autoencoder: Any
    text: TextEncoder
    table: NoiseTable
    wants_size: bool
    """True for an SDXL model: the U-Net takes the picture's size and a pooled prompt too."""
    ranges: ModelRanges | None = None
    """The activation ranges for int8; None where the model's maker measured none."""
    trained_steps: tuple[float, ...] = ()
    """The steps of a few-step model, for `controls.steps`; empty where any steps will do."""

    def copy(self) -> "Model":
        """Return a model with the same weights in memory and with new modules, to be patched and fused."""
        unet, autoencoder = copy_structure(self.unet), copy_structure(self.autoencoder)
        return replace(self, unet=unet, autoencoder=autoencoder, text=self.text.copy())

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return torch.device(self.unet.device)

    @property
    def channels(self) -> int:
        """Channels of a latent."""
        return int(self.unet.config.in_channels)

    @property
    def side_multiple(self) -> int:
        """Pixels that both sides of a picture should be a multiple of: the U-Net halves the latent at each level."""
        halvings = len(self.unet.config.block_out_channels) - 1
        return int(Autoencoder(self.autoencoder).factor * 2**halvings)

    def latent_shape(self, size: Size) -> tuple[int, int, int]:
        """Return the shape (c, h, w) of the latent of a picture of `size`."""
        factor = Autoencoder(self.autoencoder).factor
        return self.channels, size[1] // factor, size[0] // factor

    def time_ids(self, size: Size) -> Tensor | None:
        """Return the picture's size in the layout of SDXL; None unless the model is SDXL.  # [6]"""
        width, height = size
        return torch.tensor([height, width, 0, 0, height, width], device=self.device) if self.wants_size else None


def choose_device(name: str) -> torch.device:
    """Return the torch device of `engine.device`; raises Unavailable if this machine has no such device."""
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    device = torch.device(name)
    index = device.index or 0
    if device.type == "cuda" and index >= torch.cuda.device_count():
        seen = torch.cuda.device_count()
        raise Unavailable(f"device {name} is missing: torch sees {seen} CUDA device(s); try auto")
    if device.type == "mps" and not has_mps:
        raise Unavailable("device mps is missing: torch sees no Apple GPU; try auto")
    return device


def load(settings: DiffusionSettings, device: torch.device, dtype: torch.dtype) -> Model:
    """Load the model of the settings onto `device`, with weights of `dtype`.

    LoRAs with `fuse: true` are fused into the weights. Raises Unavailable with the file and the reason.
    """
    refuse_vae_beside_tiny(settings)
    path = locate(settings.model, "model", MODEL)
    model = (_from_file if path.is_file() else _from_folder)(path, settings, device, dtype)
    text = model.text.with_words(settings.embeddings, settings.loras).skipping(settings.clip_skip)
    model = replace(model, text=text.cutting(settings.long_prompts == "cut"))
    refuse_mixed_parts(path, model.unet.config, model.text.width, model.autoencoder.config.latent_channels)
    refuse_normalised_latents(model.autoencoder.config, path)
    fuse_loras({"unet": model.unet, **model.text.parts}, settings.loras)
    log.info("model loaded", model=settings.model, device=str(device), dtype=str(dtype), xl=model.wants_size)
    return model


def refuse_other_kinds(name: str, attention: Any) -> None:
    """Raise Unavailable for an attention layer unlike Stable Diffusion's."""
    special = ("group_norm", "spatial_norm", "norm_q", "norm_k", "norm_cross", "added_kv_proj_dim")
    found = [part for part in special if getattr(attention, part, None)]  # absent in older diffusers
    if found or attention.residual_connection or attention.rescale_output_factor != 1.0:
        differences = ", ".join(found) or "a residual connection or a rescaled output"
        raise Unavailable(f"U-Net layer {name}: expected the attention of Stable Diffusion, found {differences}")


def _from_folder(folder: Path, settings: DiffusionSettings, device: torch.device, dtype: torch.dtype) -> Model:
    from diffusers import UNet2DConditionModel

    refuse_configs_of_folder(settings, folder)
    refuse_other_folders(folder)
    if settings.unet is None:
        unet = component(UNet2DConditionModel, folder / "unet", "U-Net", torch_dtype=dtype)
    else:
        unet = load_unet(settings.unet, read_config(folder / "unet" / "config.json", "U-Net"), dtype)
    xl = is_xl(unet)
    sampling = choose_sampling(settings)
    autoencoder, own = _autoencoder(folder / "vae", settings, dtype, channels=unet.config.in_channels, xl=xl)
    return Model(
        unet=unet.to(device),
        autoencoder=autoencoder.to(device),
        text=TextEncoder.load(folder, device, dtype, pooled=xl, zero_negative=_zero_negative(folder)),
        table=_table(read_config(folder / "scheduler" / "scheduler_config.json", "scheduler"), sampling, folder),
        wants_size=xl,
        ranges=None if settings.unet else read_ranges(folder, unet, autoencoder if own else None),
        trained_steps=sampling.steps,
    )


def _from_file(file: Path, settings: DiffusionSettings, device: torch.device, dtype: torch.dtype) -> Model:
    configs = None if settings.configs is None else locate(settings.configs, "configs", CONFIGS)
    checkpoint = Checkpoint(file, configs)
    sampling = choose_sampling(settings)
    table = _table(checkpoint.scheduler(), sampling, file)  # first, because the scheduler is refused most often
    if settings.unet is None:
        unet = checkpoint.unet(dtype)
    else:
        unet = load_unet(settings.unet, checkpoint.config("unet"), dtype)
    xl = is_xl(unet)
    if settings.vae is not None:
        autoencoder = load_vae(settings.vae, checkpoint.config("vae"), _full_dtype(dtype, xl=xl))
    elif settings.autoencoder == "full":
        autoencoder = checkpoint.autoencoder(_full_dtype(dtype, xl=xl))
    else:
        autoencoder = _tiny(settings, dtype, channels=unet.config.in_channels, xl=xl)
    return Model(
        unet=unet.to(device),
        autoencoder=autoencoder.to(device),
        text=TextEncoder(
            checkpoint.towers(device, dtype, pooled=xl),
            zero_negative=_zero_negative(configs or file.parent, standard=xl),
        ),
        table=table,
        wants_size=xl,
        trained_steps=sampling.steps,
    )


def is_xl(unet: Any) -> bool:  # diffusers publishes no types
    """Return whether a U-Net is SDXL's, with the picture's size and a pooled prompt as inputs."""
    return bool(unet.config.addition_embed_type == "text_time")


def _zero_negative(folder: Path, *, standard: bool = False) -> bool:
    """Return whether "no negative prompt" is zeros; without `model_index.json` the answer is `standard`."""
    index = folder / "model_index.json"
    if not index.is_file():
        return standard
    return bool(read_config(index, "model").get("force_zeros_for_empty_prompt", False))


def _full_dtype(dtype: torch.dtype, *, xl: bool) -> torch.dtype:
    """Return the dtype for a full autoencoder: SDXL's overflows float16, and shows black."""
    return torch.float32 if xl and dtype == torch.float16 else dtype


def _table(config: dict[str, Any], sampling: ModelSampling, path: Path) -> NoiseTable:  # JSON
    stated = config | sampling.fields
    refuse_unknown_prediction(stated, path)
    table = noise_table(stated, f"scheduler config of model {path}", sampling.choice)
    log.info(
        "sampler chosen",
        sampler=table.sampler.name,
        because=sampling.reason,
        eta=table.sampler.eta,
        prediction=table.prediction,
        trained_steps=", ".join(f"{step:g}" for step in sampling.steps) or "any",
    )
    return table


def _autoencoder(
    own: Path, settings: DiffusionSettings, dtype: torch.dtype, *, channels: int, xl: bool
) -> tuple[Any, bool]:  # diffusers publishes no types
    """Return the autoencoder, and whether the model brought the autoencoder, in the folder `own`."""
    from diffusers import AutoencoderKL, AutoencoderTiny

    from sdstream.engine.weights.shuffle_autoencoder import AutoencoderShuffle

    tiny = {kind.__name__: kind for kind in (AutoencoderTiny, AutoencoderShuffle)}
    config = read_config(own / "config.json", "autoencoder")
    own_kind = tiny.get(config.get("_class_name", ""))
    if settings.vae is not None:
        standard = ARCHITECTURES / ("sdxl" if xl else "sd1") / "vae" / "config.json"
        base = read_config(standard, "autoencoder") if own_kind else config
        return load_vae(settings.vae, base, _full_dtype(dtype, xl=xl)), False
    if settings.autoencoder == "full":
        refuse_tiny_as_full(settings, own)
        return component(AutoencoderKL, own, "autoencoder", torch_dtype=_full_dtype(dtype, xl=xl)), True
    if settings.tiny_autoencoder is None and own_kind:
        return component(own_kind, own, "autoencoder", torch_dtype=dtype), True
    return _tiny(settings, dtype, channels=channels, xl=xl), False


def _tiny(settings: DiffusionSettings, dtype: torch.dtype, *, channels: int, xl: bool) -> Any:
    from diffusers import AutoencoderTiny

    name = tiny_name(settings, channels, xl=xl)
    path = locate(name, "tiny autoencoder")
    if is_tiny_file(path):
        return load_tiny_autoencoder(path, dtype)
    return component(AutoencoderTiny, path, "tiny autoencoder", torch_dtype=dtype)
