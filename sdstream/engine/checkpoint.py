"""Checkpoints in a single file, with weights named as in the original Stable Diffusion code: 1.x, 2.x and XL.

The converters come from diffusers. The weights' shapes leave open heads and noise schedule, so both come from configs:
the user's configs, the configs beside the file, or the standard configs of the architecture. `Any` stands for the
modules of diffusers and transformers: neither library publishes types.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from sdstream.engine.conditioning.tokenizer import find_tokenizer
from sdstream.engine.conditioning.tower import Tower
from sdstream.engine.weights.component import empty, fill, loading, refuse_unused
from sdstream.engine.weights.files import check_safetensors, read_config, refuse_pickle
from sdstream.errors import Unavailable

ARCHITECTURES = Path(__file__).parent / "architectures"
"""Folder of the standard configs, in diffusers layout."""

CONTEXTS = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""Architectures by the width of the prompt's tokens."""

UNET, VAE = "model.diffusion_model.", "first_stage_model."
TOWERS = {
    "cond_stage_model.transformer.": ("text_encoder", False),
    "cond_stage_model.model.": ("text_encoder", True),
    "conditioner.embedders.0.transformer.": ("text_encoder", False),
    "conditioner.embedders.0.model.": ("text_encoder_2", True),
    "conditioner.embedders.1.model.": ("text_encoder_2", True),
}
"""Prefix of a text encoder's weights -> name in diffusers layout, and whether the encoder is OpenCLIP's."""

UNUSED = ("text_projection", "text_projection.weight", "logit_scale")
"""Weights of CLIP that the first text encoder of no Stable Diffusion uses; mergers and ComfyUI save the weights."""

PREDICTIONS = {"v": "v_prediction", "eps": "epsilon"}
"""Spelling of a type of prediction in a file's metadata -> spelling of diffusers, where the two differ."""


class Checkpoint:
    """The parts of a file, by name in diffusers layout. Every method raises Unavailable with file and reason."""

    def __init__(self, file: Path, configs: Path | None = None) -> None:
        """`configs` is a folder of configs in diffusers layout; None takes the file's own folder."""
        refuse_pickle(file, f"model {file}")
        header = check_safetensors(file)
        self._file, self._shapes, self._metadata = file, header.shapes, header.metadata
        self._configs = configs or file.parent
        if not self._has(UNET):
            first = min(self._shapes, default="no tensor at all")
            raise Unavailable(
                f"model {file} is no Stable Diffusion checkpoint: expected tensors under {UNET}, found {first}. "
                "A LoRA belongs under engine.loras; for a model in diffusers layout, set engine.model to the folder"
            )

    def unet(self, dtype: torch.dtype) -> Any:
        """Load the U-Net."""
        from diffusers import UNet2DConditionModel
        from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

        config = self.config("unet")
        with self._loading("U-Net", UNET):
            state = self._read(UNET)
            converted = convert_ldm_unet_checkpoint(state, config)
            refuse_unused(state, converted, "U-Net of this architecture")
            return fill(empty(lambda: UNet2DConditionModel.from_config(config)), converted, dtype)

    def autoencoder(self, dtype: torch.dtype) -> Any:
        """Load the full autoencoder."""
        from diffusers import AutoencoderKL
        from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

        config = self.config("vae")
        with self._loading("autoencoder", VAE):
            converted = convert_ldm_vae_checkpoint(self._read(VAE), config)
            return fill(empty(lambda: AutoencoderKL.from_config(config)), converted, dtype)

    def towers(self, device: torch.device, dtype: torch.dtype, *, pooled: bool) -> list[Tower]:
        """Load the text encoders, each with a tokenizer."""
        present = [(name, prefix, open_clip) for prefix, (name, open_clip) in TOWERS.items() if self._has(prefix)]
        if not present:
            raise Unavailable(
                f"text encoder: model {self._file} has no text encoder: expected tensors under {' or '.join(TOWERS)}"
            )
        towers = []
        for name, prefix, open_clip in sorted(present):
            encoder = self._encoder(name, prefix, dtype).to(device)
            tokenizer_name = name.replace("text_encoder", "tokenizer")
            tokenizer = find_tokenizer(self._configs, tokenizer_name, zero_padded=open_clip)
            towers.append(Tower(tokenizer, encoder, penultimate=pooled))
        return towers

    def scheduler(self) -> dict[str, Any]:  # JSON
        """Return the noise schedule as a diffusers config, without `prediction_type` for an unknown prediction."""
        file = "scheduler/scheduler_config.json"
        if (self._configs / file).is_file():
            return read_config(self._configs / file, "scheduler")
        if "edm_mean" in self._shapes:
            raise Unavailable(
                f"scheduler: model {self._file} is an EDM model: expected a model with epsilon or v prediction"
            )
        config = read_config(ARCHITECTURES / self._architecture("scheduler") / file, "scheduler")
        prediction = "v" if "v_pred" in self._shapes else self._metadata.get("modelspec.prediction_type", "")
        if prediction:
            config["prediction_type"] = PREDICTIONS.get(prediction, prediction)
        if "ztsnr" in self._shapes:
            config["rescale_betas_zero_snr"] = True
        return config

    def config(self, part: str) -> dict[str, Any]:  # JSON
        """Return the config of a part."""
        given = self._configs / part / "config.json"
        if given.is_file():
            return read_config(given, part)
        return read_config(ARCHITECTURES / self._architecture(part) / part / "config.json", part)

    def _architecture(self, part: str) -> str:
        """Return the architecture, recognised by the width of the prompt's tokens."""
        keys = [key for key in self._shapes if key.startswith(UNET) and key.endswith(".attn2.to_k.weight")]
        widths = {width for key in keys for width in self._shapes[key][-1:]}
        names = [CONTEXTS[width] for width in widths if width in CONTEXTS]
        if len(names) != 1 or len(widths) != 1:
            raise Unavailable(
                f"model {self._file} does not have the shapes of Stable Diffusion 1.x, 2.x or XL, and "
                f"{self._configs / part} is missing: set engine.configs to a folder of the model's configs in "
                "diffusers layout"
            )
        return names[0]

    def _encoder(self, name: str, prefix: str, dtype: torch.dtype) -> Any:
        import transformers
        from diffusers.loaders.single_file_utils import convert_ldm_clip_checkpoint, convert_open_clip_checkpoint

        kind = transformers.CLIPTextModelWithProjection if name.endswith("_2") else transformers.CLIPTextModel
        given = self.config(name)
        with self._loading("text encoder", prefix):
            model = empty(lambda: kind(kind.config_class.from_dict(given)))
            state = self._read(prefix)
            if TOWERS[prefix][1]:
                found = convert_open_clip_checkpoint(model, state, prefix)
            else:
                found = convert_ldm_clip_checkpoint(state)
            found = {key.removeprefix("text_model."): tensor for key, tensor in found.items()}
            found.pop("embeddings.position_ids", None)  # 0, 1, 2, … in older files
            for key in () if name.endswith("_2") else UNUSED:
                found.pop(key, None)
            # Only some versions of transformers have the prefix `text_model.`.
            full_names = {key.removeprefix("text_model."): key for key in model.state_dict()}
            return fill(model, {full_names.get(key, key): tensor for key, tensor in found.items()}, dtype)

    @contextmanager
    def _loading(self, what: str, prefix: str) -> Iterator[None]:
        if not self._has(prefix):
            raise Unavailable(f"{what}: model {self._file} has no {what}: expected tensors under {prefix}")
        with loading(f"{what}: {self._file}"):
            yield

    def _read(self, prefix: str) -> dict[str, Tensor]:
        with safe_open(self._file, framework="pt") as opened:
            return {key: opened.get_tensor(key) for key in self._shapes if key.startswith(prefix)}

    def _has(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self._shapes)
