"""python -m scripts.train: paint the targets, train the parts, write the model; goes on where it was cut off.

`make model` does all of it. On a processor the U-Net's batches are shared out, one process a core (torchrun).
"""

import argparse
import os
from pathlib import Path

import torch

from scripts.train import autoencoder, evaluate, export, ranges, sheet, text, unet
from scripts.train.cache import Cache

PARTS = ("paint", "autoencoder", "text", "unet", "export", "evaluate", "sheet")
MINUTES = {"autoencoder": 7.0, "text": 7.0, "unet": 90.0}
"""Training budgets on two cores."""

VARIANTS = 256
"""Prompts of each look that the U-Net meets."""


class Workshop:
    """The parts in order; each can be had without training it again."""

    def __init__(self, told: argparse.Namespace) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.told = told
        self.cache = Cache(told.pack, told.work / "cache")

    def do(self, part: str) -> None:
        """Do one part, with its own budget."""
        told = self.told
        if part == "paint":
            self.cache.fill(told.threads)
        elif part == "autoencoder":
            autoencoder.train(self.cache, told.work, self.device, **self._budget(part))
        elif part == "text":
            text.train(told.work, self.device, **self._budget(part))
        elif part == "unet":
            bank = text.bank(self._text(), VARIANTS, self.device)
            unet.train(self.cache, bank, told.work, self.device, **self._budget(part))
        elif part == "export":
            parts = (autoencoder.trained(told.work), self._text(), *unet.trained(told.work))
            export.write(told.model, self.cache, told.work, told.machine, parts)
            ranges.write(self.cache, told.model)
        elif part == "evaluate":
            clips = sorted(file for file in told.clips.iterdir() if file.suffix in (".mkv", ".mp4", ".webm"))
            evaluate.evaluate(self.cache, told.model, clips, told.report / "evaluation.json", told.pictures)
        else:
            sheet.write(self.cache, told.model, told.report / "looks.png")

    def _budget(self, part: str) -> dict[str, float]:
        minutes = MINUTES[part] if self.told.minutes is None else self.told.minutes
        return {"seconds": minutes * 60, "limit": self.told.limit * 60}

    def _text(self) -> text.Reader:
        return text.train(self.told.work, self.device, seconds=0, limit=0)


def main() -> None:
    """Run the parts that were asked for, in order."""
    parser = argparse.ArgumentParser(prog="python -m scripts.train", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), default=PARTS, help="all by default")
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/photos.tar"), help="the training pictures")
    parser.add_argument("--clips", type=Path, default=Path("../shared/clips"), help="clips to measure on")
    parser.add_argument("--work", type=Path, default=Path("out/train"), help="targets and checkpoints")
    parser.add_argument("--model", type=Path, default=Path("sdstream/models/mini"), help="where the model goes")
    parser.add_argument("--report", type=Path, default=Path("docs/model"), help="where the evaluation goes")
    parser.add_argument("--minutes", type=float, help=f"training budget of each part over all calls; default {MINUTES}")
    parser.add_argument("--limit", type=float, default=1e6, help="minutes that each part may train in this call")
    parser.add_argument("--machine", default="a machine not named", help="what to say in the model card")
    parser.add_argument("--pictures", type=int, default=24, help="held-out pictures to measure on")
    workers = int(os.environ.get("WORLD_SIZE", "1"))
    cores = max(1, (os.cpu_count() or 1) // workers)
    parser.add_argument("--threads", type=int, default=cores, help="of each worker; by default all cores are used")
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    if workers > 1:
        torch.distributed.init_process_group("gloo")
    workshop = Workshop(told)
    for part in told.parts:
        workshop.do(part)


if __name__ == "__main__":
    main()
