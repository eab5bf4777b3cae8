"""The noise schedule of the training."""

import torch
from torch import Tensor

SCHEDULE = {"beta_start": 0.00002, "beta_end": 0.0004, "beta_schedule": "scaled_linear", "prediction_type": "sample"}
"""Much less noise than in Stable Diffusion: a latent has an eighth of the picture's numbers, and detail lost in noise
is lost for the strokes too. The noise share sqrt(1 - ᾱ) is 0.40 at the noisiest step, 0.19 at step 25, 0.14 at step 32
and 0.05 at step 45."""


class Levels:
    """The 50 timesteps behind the control `steps`, with signal and noise shares, [50] each."""

    def __init__(self, device: torch.device) -> None:
        from diffusers import LCMScheduler

        scheduler = LCMScheduler(**SCHEDULE)
        scheduler.set_timesteps(50)
        self.times = scheduler.timesteps.to(device)
        alphas = scheduler.alphas_cumprod.to(device)[self.times]
        self.signal, self.noise = alphas.sqrt(), (1 - alphas).sqrt()
        self.styled = strength(self.times)

    def __len__(self) -> int:
        return len(self.times)


def strength(times: Tensor) -> Tensor:
    """Return the share of the way to the look for a step at timestep t: a little at t = 19, nearly 1 from 600 up."""
    return 1 - (1 - times.float() / 1000) ** 4
