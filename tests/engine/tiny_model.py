"""A tiny random model in diffusers layout, made in under two seconds: the real loading path without weights."""

import json
import shutil
from pathlib import Path

import torch


def make_tiny_model(
    folder: Path, *, prediction: str = "epsilon", xl: bool = False, seed: int = 0, **unet: object
) -> Path:
    """Write a model of about 0.1 million random weights into `folder` and return it. Its latents are 1/8 in size."""
    from diffusers import AutoencoderTiny, LCMScheduler, UNet2DConditionModel

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    extra = (
        {"addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 80}
        if xl
        else {}
    )
    shape = {
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "cross_attention_dim": 64 if xl else 32,
        "attention_head_dim": 8,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    }
    UNet2DConditionModel(**(shape | extra | unet)).save_pretrained(folder / "unet")
    autoencoder = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        num_encoder_blocks=(1, 1, 1, 1),
        num_decoder_blocks=(1, 1, 1, 1),
    )
    with torch.no_grad():  # so that a change in the latents shows in the pixels, about mid-grey
        last = autoencoder.decoder.layers[-1]
        last.weight *= 20
        last.bias.fill_(0.5)
        autoencoder.encoder.layers[-1].weight *= 20
    autoencoder.save_pretrained(folder / "vae")
    _text(folder, "")
    if xl:
        _text(folder, "_2")
    LCMScheduler(prediction_type=prediction).save_pretrained(folder / "scheduler")
    index = {"_class_name": "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def with_full_autoencoder(folder: Path) -> Path:
    """Replace the small autoencoder of `folder` by a random full autoencoder; return the folder."""
    from diffusers import AutoencoderKL

    torch.manual_seed(1)
    shutil.rmtree(folder / "vae")
    sizes = {"block_out_channels": (8, 16, 16, 16), "norm_num_groups": 4, "layers_per_block": 2}
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    AutoencoderKL(**sizes, **blocks).save_pretrained(folder / "vae")
    return folder


def _text(folder: Path, suffix: str) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(folder / f"tokenizer{suffix}")
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
        pad_token_id=vocabulary["<|endoftext|>"],
    )
    kind = CLIPTextModelWithProjection if suffix else CLIPTextModel
    kind(config).save_pretrained(folder / f"text_encoder{suffix}")
