"""A diffusers U-Net for the calls of Stream Batch: stacks prompts row by row, and converts the dtype.

`Any` stands for diffusers' modules: the attributes have no static types.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own documentation uses this name
from torch import Tensor

from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.engine.adapters.image_prompt.ip_adapters import IpAdapters
from sdstream.engine.adapters.lora import Loras, Weights
from sdstream.engine.conditioning.condition import Condition, Embedding, by_length
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.eager.attention import Group, make_processors
from sdstream.engine.eager.image_attention import Pictures
from sdstream.engine.shared_module import copy_structure


class ConditionedUNet:
    """Calls a copy of `unet`, in the dtype of the weights.

    `time_ids` [6] is SDXL's description of the picture's size; None for a model without such an input.
    """

    def __init__(
        self,
        unet: Any,
        *,
        prompt_cache: bool = True,
        time_ids: Tensor | None = None,
        controlnets: ControlNets | None = None,
        loras: Loras | None = None,
        ip_adapters: IpAdapters | None = None,
    ) -> None:
        self.module = copy_structure(unet)
        """The copy of the U-Net, with the processors of `attention` and the branches of the LoRAs."""
        self._controlnets = controlnets
        self._loras = loras or Loras({}, {})
        self._loras.attach(self.module)
        self._dtype = next(unet.parameters()).dtype
        self._time_ids = time_ids
        matrices = ip_adapters.layers if ip_adapters else {}
        self._pictures = Pictures(matrices, cached=prompt_cache) if matrices else None
        adapt = self._loras.set_rows
        processors = make_processors(self.module, prompt_cache=prompt_cache, adapt=adapt, pictures=self._pictures)
        self.module.set_attn_processor(processors.by_name)
        self._scenes = processors.scenes
        self.prompt_cache = processors.cache
        """Keys and values of the prompts in use; None without a prompt cache."""
        self._embeddings: tuple[Embedding, ...] = ()
        self._tokens = torch.empty(0)  # [rows, tokens, dim]
        self._added: dict[str, Tensor] | None = None
        self._scale_size: int | None = unet.config.get("time_cond_proj_dim")
        self._scales: tuple[float, ...] = ()
        self._scale_embedding: Tensor | None = None  # [rows, time_cond_proj_dim]

    def __call__(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run the U-Net on x [rows, c, h, w] float32. The result has the same shape and dtype.

        Rows with prompts of different lengths do not see each other.
        """
        self._loras.fuse_if_uniform([row.condition.loras for row in rows])
        groups = by_length([row.condition.negative if row.negative else row.condition.positive for row in rows])
        if len(groups) == 1:
            return self._run(x, timesteps, rows)
        output = torch.empty_like(x)  # [rows, c, h, w]
        for group in groups:  # for a few frames after a change of length; an index of rows may wait for the device
            output[group] = self._run(x[group], timesteps[group], [rows[i] for i in group])
        return output

    def _run(self, x: Tensor, timesteps: Tensor, rows: Sequence[Row[Condition]]) -> Tensor:
        """Run rows with equally long prompts."""
        weights = [row.condition.loras for row in rows]
        self._choose([row.condition.negative if row.negative else row.condition.positive for row in rows], weights)
        self._loras.set_rows(weights)
        if self._pictures is not None:
            self._pictures.select([_images(row) for row in rows], [row.condition.image_scales for row in rows])
        self._scenes.select(_groups(rows))
        call = {
            "sample": x.to(self._dtype),
            "timestep": timesteps,
            "encoder_hidden_states": self._tokens,
            "added_cond_kwargs": self._added,
        }
        scale = self._embed_scales([row.condition.distilled for row in rows])
        residuals = self._residuals(rows, call)
        output: Tensor = self.module(**call, **residuals, timestep_cond=scale, return_dict=False)[0]  # [rows, c, h, w]
        return output.float()

    def _residuals(self, rows: Sequence[Row[Condition]], call: dict[str, Any]) -> dict[str, Any]:  # keyword arguments
        hints = [row.hint for row in rows if row.hint is not None]
        if self._controlnets is None or not hints:
            return {}
        scales = [row.condition.scales for row in rows]
        if not any(scale for row in scales for scale in row):
            return {}
        batched = torch.stack(hints)  # [rows, nets, 3, H, W]
        downs, middle = self._controlnets.residuals(batched, scales, **call)
        return {"down_block_additional_residuals": downs, "mid_block_additional_residual": middle}

    def _embed_scales(self, scales: Sequence[float]) -> Tensor | None:
        """Return the embedded guidance scales of an LCM checkpoint; None without such an input.  # [rows, size]"""
        if self._scale_size and self._scales != tuple(scales):
            self._scales = tuple(scales)
            embedded = embed_scales(torch.tensor(scales), self._scale_size)  # [rows, size]
            self._scale_embedding = embedded.to(self.module.device, self._dtype)
        return self._scale_embedding

    def _choose(self, embeddings: Sequence[Embedding], weights: Sequence[Weights]) -> None:
        chosen = tuple(embeddings)
        if self.prompt_cache:
            self.prompt_cache.select(tuple(zip(chosen, weights, strict=True)))
        if chosen == self._embeddings:
            return
        self._embeddings = chosen
        self._tokens = torch.stack([embedding.tokens for embedding in chosen])  # [rows, tokens, dim]
        pooled = [embedding.pooled for embedding in chosen if embedding.pooled is not None]
        if self._time_ids is not None and pooled:
            ids = self._time_ids.expand(len(chosen), -1)  # [rows, 6]
            self._added = {"text_embeds": torch.stack(pooled), "time_ids": ids}  # [rows, dim], [rows, 6]


def embed_scales(scales: Tensor, size: int) -> Tensor:
    """Turn guidance scales into sines and cosines, as in the training of LCM (Luo et al. 2023).  # [rows, size]"""
    half = size // 2
    frequencies = torch.exp(torch.arange(half) * (-math.log(10_000) / (half - 1)))  # [half]
    angles = 1000 * (scales.float() - 1).unsqueeze(-1) * frequencies  # [rows, half]
    return F.pad(torch.cat((angles.sin(), angles.cos()), dim=-1), (0, size % 2))


def _images(row: Row[Condition]) -> tuple[Embedding, ...]:
    """Return the row's pictures, by IP-Adapter."""
    return tuple(image.negative if row.negative else image.positive for image in row.condition.images)


def _groups(rows: Sequence[Row[Condition]]) -> list[Group]:
    """Return the rows by scene, in order of the first row; a row without a scene, as a guidance row, stays alone.

    Rows of a scene need not lie side by side: with cross-frame attention switched off and on again, a row in between
    has no scene.
    """
    groups: dict[int, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(-1 - index if row.scene is None else row.scene, []).append(index)
    return [tuple(group) for group in groups.values()]
