"""The header of a checkpoint in a single file: which parts it has, of which architecture, and with which configs.

No tensor is opened here, so that `sdstream check` reads checkpoints without torch.
"""

from pathlib import Path
from typing import Any

from sdstream.engine.weights.file_kind import place_of
from sdstream.engine.weights.files import check_safetensors, read_config, refuse_pickle
from sdstream.errors import Unavailable

ARCHITECTURES = Path(__file__).parents[1] / "architectures"
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

PREDICTIONS = {"v": "v_prediction", "eps": "epsilon"}
"""Spelling of a type of prediction in a file's metadata -> spelling of diffusers, where the two differ."""


class CheckpointHeader:
    """The names and shapes of a checkpoint, and the configs. Every method raises Unavailable with file and reason."""

    def __init__(self, file: Path, configs: Path | None = None) -> None:
        """`configs` is a folder of configs in diffusers layout; None takes the file's own folder."""
        refuse_pickle(file, f"model {file}")
        header = check_safetensors(file)
        self._file, self._shapes, self._metadata = file, header.shapes, header.metadata
        self._configs = configs or file.parent
        if not self._has(UNET):
            first = min(self._shapes, default="no tensor at all")
            place = place_of(self._shapes) or f"found {first}"
            raise Unavailable(
                f"model {file} is no Stable Diffusion checkpoint: expected tensors under {UNET}; the file {place}"
                if place.startswith("is ")
                else f"model {file} is no Stable Diffusion checkpoint: expected tensors under {UNET}, {place}. For a "
                "model in diffusers layout, set engine.model to the folder"
            )

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

    def refuse_without_text_encoder(self) -> None:
        """Raise Unavailable for a file without a text encoder."""
        if not self.text_encoders():
            raise Unavailable(
                f"text encoder: model {self._file} has no text encoder: expected tensors under {' or '.join(TOWERS)}"
            )

    def refuse_without_autoencoder(self) -> None:
        """Raise Unavailable for a file without an autoencoder."""
        if not self._has(VAE):
            raise Unavailable(
                f"autoencoder: model {self._file} has no autoencoder: expected tensors under {VAE}; set "
                "engine.autoencoder to tiny, or engine.vae to an autoencoder"
            )

    def text_encoders(self) -> list[str]:
        """Return the text encoders of the file, by name in diffusers layout."""
        return sorted({name for prefix, (name, _) in TOWERS.items() if self._has(prefix)})

    def _has(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self._shapes)
