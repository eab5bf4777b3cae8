"""Writes the trained parts as a folder in diffusers layout: fp16, safetensors, model card, notices and credits."""

import json
import shutil
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from scripts.train.cache import Cache
from scripts.train.levels import SCHEDULE
from scripts.train.looks import FALLBACK, LOOKS
from scripts.train.text import Reader, tokenizer

HERE = Path(__file__).parent
LIMIT = 25 * 2**20
"""Largest size of the folder in bytes: the folder is part of the wheel."""


def write(folder: Path, cache: Cache, work: Path, machine: str, parts: tuple[Any, Reader, Any, nn.Module]) -> None:
    """Replace `folder` by a model of autoencoder, text encoder, U-Net, and the decoder trained with the U-Net."""
    autoencoder, reader, unet, decoder = parts
    from diffusers import LCMScheduler

    autoencoder.decoder = decoder

    shutil.rmtree(folder, ignore_errors=True)
    autoencoder.half().save_pretrained(folder / "vae", safe_serialization=True)
    unet.half().save_pretrained(folder / "unet", safe_serialization=True)
    reader.encoder.half().save_pretrained(folder / "text_encoder", safe_serialization=True)
    tokenizer().save_pretrained(folder / "tokenizer")
    LCMScheduler(**SCHEDULE).save_pretrained(folder / "scheduler")
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": version("diffusers")}
    classes = {
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["sdstream", "AutoencoderShuffle"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "LCMScheduler"],
    }  # fmt: skip
    _json(folder / "model_index.json", index | classes)
    looks = [{"name": look.name, "words": list(look.words)} for look in LOOKS]
    _json(folder / "looks.json", {"fallback": FALLBACK, "looks": looks})
    (folder / "CREDITS.md").write_text(credits_of(cache), encoding="utf-8")
    shutil.copytree(HERE / "papers", folder, dirs_exist_ok=True)
    card = folder / "README.md"
    card.write_text(card.read_text("utf-8").replace("{{TRAINING}}", training(work, machine)), encoding="utf-8")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}: {size / 2**20:.1f} MiB")
    if size > LIMIT:
        raise SystemExit(f"{folder} has {size} bytes: expected at most {LIMIT}")


def training(work: Path, machine: str) -> str:
    """Return a table of each part's training time, read from the checkpoints."""
    rows = []
    for part, name in (("autoencoder", "Autoencoder"), ("text", "Text encoder"), ("unet", "U-Net and decoder")):
        checkpoint = torch.load(work / f"{part}.pt", map_location="cpu", weights_only=True)
        rows.append(f"| {name} | {checkpoint['step']:,} | {checkpoint['spent'] / 60:.0f} |")
    head = f"On {machine}:\n\n| part | steps | minutes |"
    return "\n".join([head, "| --- | --- | --- |", *rows])


def credits_of(cache: Cache) -> str:
    """Return the credits of the training pictures, from the pack's manifest."""
    ready = set(cache.ready(held_out=False))
    used = Counter(
        (photo.group, photo.attribution or "not stated", photo.licence)
        for i, photo in enumerate(cache.photos)
        if i in ready
    )
    rows = [f"| {group} | {who} | {licence} | {count} |" for (group, who, licence), count in sorted(used.items())]
    head = [
        "# Credits",
        "",
        f"The model was trained on {used.total()} photographs and film frames, and on pictures made from them by the",
        "style teacher named in README.md. No picture is in the model's files. Changes made: cut to a square of",
        "256 pixels, moved, relit, and restyled.",
        "",
        "| source | attribution | licence | pictures |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows, ""])


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
