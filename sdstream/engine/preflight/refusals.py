"""Says what a run would refuse of the engine's files, from names, headers and configs alone.

Neither torch nor a weight is loaded, and nothing is fetched. The same functions refuse at the start of a run. Out of
reach are the numbers themselves (NaN, infinity), the shape of each layer, and models of the hub before the download.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sdstream.config.abilities import Obstacle
from sdstream.config.engine import AnyEngine, ControlNetSettings, DiffusionSettings
from sdstream.engine.adapters.controlnet_kind import (
    annotator_file,
    condition_models,
    refuse_other_config,
    refuse_other_files,
)
from sdstream.engine.adapters.image_prompt.check import refusal
from sdstream.engine.adapters.lora_base import obstacle
from sdstream.engine.conditioning.inversion_names import bundled_words, vector_names
from sdstream.engine.preflight.model_parts import ModelParts, folder_of, read_parts
from sdstream.engine.weights.base_model import BaseModel
from sdstream.engine.weights.file_kind import refuse_other_class, refuse_unless_unet, refuse_unless_vae
from sdstream.engine.weights.files import NotFetched, check_safetensors, locate, refuse_pickle, weights
from sdstream.engine.weights.part_configs import person_label, refuse_unless_transformers, refuse_vae_beside_tiny
from sdstream.engine.weights.single_file import locate_file
from sdstream.engine.weights.tiny_autoencoder_header import is_tiny_file, tiny_files
from sdstream.errors import Forbidden, Unavailable

_ODD = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""Errors of reading a config whose values are of other types than expected; a run refuses such a config too."""


@dataclass
class _Findings:
    found: list[Obstacle] = field(default_factory=list)

    @contextmanager
    def at(self, *path: str) -> Iterator[None]:
        """Collect the refusal inside the block under the setting `path` of the engine."""
        try:
            yield
        except NotFetched:
            return  # the start of a run fetches the files
        except (Unavailable, Forbidden) as error:
            self.found.append(Obstacle(("engine", *path), str(error), isinstance(error, Forbidden)))
        except _ODD as error:
            self.found.append(Obstacle(("engine", *path), f"a config cannot be read: {error}"))


def refusals(settings: AnyEngine) -> list[Obstacle]:
    """Return what a run with these settings would refuse, by path from the root of the configuration."""
    if not isinstance(settings, DiffusionSettings):
        return []
    findings, parts = _Findings(), None
    with findings.at("vae"):
        refuse_vae_beside_tiny(settings)
    with findings.at("model"):
        parts = read_parts(settings)
    base = None if parts is None else parts.base
    if settings.unet is not None:
        with findings.at("unet"):
            _unet(settings.unet, base)
    _autoencoders(settings, findings)
    for name, lora in settings.loras.items():
        with findings.at("loras", name):
            file = locate_file(lora.path, lora.file, "LoRA", f"engine.loras.{name}", fetch=False)
            header, where = check_safetensors(file), f"LoRA {name!r}: {file}"
            if why := obstacle(header, base):
                raise Unavailable(f"{where} {why}")
            if parts is not None:
                bundled_words(header.shapes, where, parts.token_widths)
    for word, embedding in settings.embeddings.items():
        with findings.at("embeddings", word):
            file = locate_file(embedding.path, embedding.file, "embedding", f"engine.embeddings.{word}", fetch=False)
            shapes = check_safetensors(file).shapes
            if parts is not None:
                vector_names(shapes, f"embedding {word!r}: {file}", parts.token_widths)
    for name, controlnet in settings.controlnets.items():
        with findings.at("controlnets", name):
            _controlnet(name, controlnet, parts)
    if settings.ip_adapters and (why := refusal(settings)):
        findings.found.append(Obstacle(("engine", "ip_adapters"), why))
    if settings.segmentation_model is not None:
        with findings.at("segmentation_model"):
            folder = locate(settings.segmentation_model, "segmentation model", fetch=False)
            person_label(refuse_unless_transformers(folder, "segmentation model"), folder)
            weights(folder, "segmentation model")
    return findings.found


def _unet(name: str, base: BaseModel | None) -> None:
    path = locate(name, "U-Net", fetch=False)
    if path.is_dir():
        weights(folder_of(path, "unet"), "U-Net")
        return
    refuse_pickle(path, f"U-Net: {path}")
    shapes = check_safetensors(path).shapes
    if base is not None:
        refuse_unless_unet(path, shapes, base)


def _autoencoders(settings: DiffusionSettings, findings: _Findings) -> None:
    if settings.vae is not None and settings.autoencoder == "full":
        with findings.at("vae"):
            path = locate(settings.vae, "autoencoder", fetch=False)
            if path.is_dir():
                folder = folder_of(path, "vae")
                refuse_other_class(folder)
                weights(folder, "autoencoder")
            else:
                refuse_pickle(path, f"autoencoder: {path}")
                refuse_unless_vae(path, check_safetensors(path).shapes)
    if settings.tiny_autoencoder is not None and settings.autoencoder == "tiny":
        with findings.at("tiny_autoencoder"):
            path = locate(settings.tiny_autoencoder, "tiny autoencoder", fetch=False)
            if is_tiny_file(path):
                tiny_files(path)
            else:
                weights(path, "tiny autoencoder")


def _controlnet(name: str, settings: ControlNetSettings, parts: ModelParts | None) -> None:
    depth_model, condition_model = condition_models(name, settings)
    _network(f"ControlNet {name!r}", settings, {} if parts is None else parts.unet)
    if depth_model is not None:
        folder = locate(depth_model, "depth model", fetch=False)
        refuse_unless_transformers(folder, "depth model")
        weights(folder, "depth model")
    if condition_model is not None:
        where = f"ControlNet {name!r}: condition model"
        annotator_file(locate(condition_model, where, fetch=False), settings.condition, where)


def _network(where: str, settings: ControlNetSettings, unet: Mapping[str, Any]) -> None:  # JSON
    path = locate(settings.model, "ControlNet", fetch=False)
    if path.is_dir():
        refuse_other_config(path, where, unet, settings.condition)
        weights(path, where)
        return
    refuse_pickle(path, f"{where}: {path}")
    shapes = check_safetensors(path).shapes
    if unet:
        refuse_other_files(f"{where}: {path}", shapes, BaseModel.of(unet), settings.condition)
