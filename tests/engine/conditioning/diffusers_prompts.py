"""The embeddings of diffusers' own pipelines, and files of textual inversions."""

from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer


def vectors(count: int, seed: int = 0, width: int = 32) -> Tensor:
    return 0.3 * torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def saved(folder: Path, state: dict[str, Tensor]) -> str:
    save_file(state, folder / "zork.safetensors")
    return str(folder / "zork.safetensors")


def pipeline(model: Path, *, xl: bool) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
    """Return diffusers' pipeline around the text encoders alone."""
    part = {"text_encoder": CLIPTextModel.from_pretrained(model / "text_encoder").eval()}
    part["tokenizer"] = CLIPTokenizer.from_pretrained(model / "tokenizer")
    rest = dict.fromkeys(("vae", "unet", "scheduler"))
    if not xl:
        return StableDiffusionPipeline(
            **part, **rest, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    second = {"text_encoder_2": CLIPTextModelWithProjection.from_pretrained(model / "text_encoder_2").eval()}
    return StableDiffusionXLPipeline(
        **part,
        **second,
        **rest,
        tokenizer_2=CLIPTokenizer.from_pretrained(model / "tokenizer_2"),
        add_watermarker=False,
    )


@torch.inference_mode()
def encode(pipe: StableDiffusionPipeline | StableDiffusionXLPipeline, prompt: str, **more: object) -> list[Tensor]:
    options = {"device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    encoded = pipe.encode_prompt(prompt, **options, **more)
    return [found[0] for found in (encoded[0], encoded[2] if len(encoded) == 4 else None) if found is not None]
