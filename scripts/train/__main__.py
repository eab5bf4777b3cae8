"""python -m scripts.train: paint the targets, train the parts, write the model; resumes after an interruption.

`make model` runs all parts. On a CPU the U-Net's batches are shared by one process for each core (torchrun).
"""

import argparse
import os
from pathlib import Path

import torch

from scripts.train import autoencoder, evaluate, export, ranges, sheet, text, unet
from scripts.train.cache import Cache

PARTS = ("paint", "autoencoder", "text", "unet", "export", "evaluate", "sheet")
MINUTES = {"autoencoder": 7.0, "text": 7.0, "unet": 90.0}
"""Training budgets in minutes on two cores."""

VARIANTS = 256
"""Number of prompts of each look in the U-Net's training."""


class Training:
    """The parts of the training; every part starts from the files of the parts before."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.arguments = arguments
        self.cache = Cache(arguments.pack, arguments.work / "cache")

    def run(self, part: str) -> None:
        """Run a part within the part's budget."""
        options, work = self.arguments, self.arguments.work
        if part == "paint":
            self.cache.fill(options.threads)
        elif part == "autoencoder":
            autoencoder.train(self.cache, work, self.device, **self._budget(part))
        elif part == "text":
            text.train(work, self.device, **self._budget(part))
        elif part == "unet":
            bank = text.bank(self._text(), VARIANTS, self.device)
            unet.train(self.cache, bank, work, self.device, **self._budget(part))
        elif part == "export":
            parts = (autoencoder.trained(work), self._text(), *unet.trained(work))
            export.write(options.model, self.cache, work, options.machine, parts)
            ranges.write(self.cache, options.model)
        elif part == "evaluate":
            clips = sorted(file for file in options.clips.iterdir() if file.suffix in (".mkv", ".mp4", ".webm"))
            evaluate.evaluate(self.cache, options.model, clips, options.report / "evaluation.json", options.pictures)
        else:
            sheet.write(self.cache, options.model, options.report / "looks.png")

    def _budget(self, part: str) -> dict[str, float]:
        minutes = MINUTES[part] if self.arguments.minutes is None else self.arguments.minutes
        return {"seconds": minutes * 60, "limit": self.arguments.limit * 60}

    def _text(self) -> text.Reader:
        return text.train(self.arguments.work, self.device, seconds=0, limit=0)


def main() -> None:
    """Run the parts of the command line, in order."""
    parser = argparse.ArgumentParser(prog="python -m scripts.train", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), default=PARTS, help="default: all")
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/photos.tar"), help="the training pictures")
    parser.add_argument("--clips", type=Path, default=Path("../shared/clips"), help="clips to measure on")
    parser.add_argument("--work", type=Path, default=Path("out/train"), help="targets and checkpoints")
    parser.add_argument("--model", type=Path, default=Path("sdstream/models/mini"), help="folder of the model")
    parser.add_argument("--report", type=Path, default=Path("docs/model"), help="folder of the evaluation")
    parser.add_argument("--minutes", type=float, help=f"training budget of each part over all calls; default {MINUTES}")
    parser.add_argument("--limit", type=float, default=1e6, help="most minutes of training for each part in this call")
    parser.add_argument("--machine", default="a machine not named", help="name of the machine for the model card")
    parser.add_argument("--pictures", type=int, default=24, help="number of held-out pictures to measure on")
    workers = int(os.environ.get("WORLD_SIZE", "1"))
    cores = max(1, (os.cpu_count() or 1) // workers)
    parser.add_argument("--threads", type=int, default=cores, help="threads of each worker; default: all cores")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if workers > 1:
        torch.distributed.init_process_group("gloo")
    training = Training(arguments)
    for part in arguments.parts:
        training.run(part)


if __name__ == "__main__":
    main()
