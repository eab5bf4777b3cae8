"""Latents of all kept pictures and looks, and the numbers of the noise schedule that the model is trained for."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scripts.train.cache import Cache
from scripts.train.crops import to_tensor

RELIT = 3
"""Versions of each photo: as it is, and under other light with a sensor's noise. All have the same looks."""

SCHEDULE = {"beta_start": 0.0001, "beta_end": 0.003, "beta_schedule": "scaled_linear", "prediction_type": "sample"}
"""Gentler than Stable Diffusion's: a latent has a twelfth of the numbers of the picture that it stands for,
and what noise drowns in it is lost. The noise share sqrt(1 - ᾱ) is 0.84 at the noisiest step, 0.47 at step 25, 0.34 at
step 32 and 0.12 at step 45, so that faces keep their place at the default steps."""


class Levels:
    """The 50 timesteps that a show's `steps` index, with their signal and noise shares."""

    def __init__(self, device: torch.device) -> None:
        from diffusers import LCMScheduler

        scheduler = LCMScheduler(**SCHEDULE)
        scheduler.set_timesteps(50)
        self.times = scheduler.timesteps.to(device)
        kept = scheduler.alphas_cumprod.to(device)[self.times]
        self.signal, self.noise = kept.sqrt(), (1 - kept).sqrt()
        self.styled = strength(self.times)

    def __len__(self) -> int:
        return len(self.times)


def strength(times: Tensor) -> Tensor:
    """How far one step from timestep t goes towards the look: a little at t = 19, nearly all the way from 700 up."""
    return 1 - (1 - times.float() / 1000) ** 3


@dataclass
class Latents:
    """Latents on the training device, fp16."""

    photos: Tensor  # [photos, RELIT, c, h, w]
    looks: Tensor  # [photos, looks, c, h, w]

    @cached_property
    def count(self) -> int:
        """How many photos there are."""
        return len(self.photos)


@torch.inference_mode()
def encode_all(cache: Cache, numbers: list[int], autoencoder: Any, device: torch.device) -> Latents:
    """Encode the photos `numbers` with all their looks; each photo is shifted a little against the latents' grid."""
    dice = np.random.default_rng(7)
    photos, looks = [], []
    for done, i in enumerate(numbers):
        down, right = (int(n) for n in dice.integers(-4, 5, 2))
        pictures = np.roll(cache.targets[i], (down, right), axis=(1, 2))
        tensor = to_tensor(pictures, device)
        relit = [tensor[:1], *(_relight(tensor[:1], dice) for _ in range(RELIT - 1))]
        with torch.autocast(device.type, torch.bfloat16):
            encoded = autoencoder.encode(torch.cat([*relit, tensor[1:]])).latents
        photos.append(encoded[:RELIT].half())
        looks.append(encoded[RELIT:].half())
        if done % 25 == 0:
            print(f"encoded {done} of {len(numbers)}", flush=True)
    return Latents(torch.stack(photos).clone(), torch.stack(looks).clone())


def _relight(picture: Tensor, dice: np.random.Generator) -> Tensor:
    """Change exposure by up to 8 % and gamma by up to 10 %, and add a sensor's noise."""
    gain, gamma, grain = dice.uniform(0.92, 1.08), dice.uniform(0.9, 1.1), dice.uniform(0.0, 0.03)
    light = (picture / 2 + 0.5).clamp(0, 1) ** gamma * gain
    return ((light + grain * torch.randn_like(light)) * 2 - 1).clamp(-1, 1)
