"""The numbers of the noise schedule that the model is trained for."""

import torch
from torch import Tensor

SCHEDULE = {"beta_start": 0.00002, "beta_end": 0.0004, "beta_schedule": "scaled_linear", "prediction_type": "sample"}
"""Much gentler than Stable Diffusion's: a latent has an eighth of the numbers of the picture that it stands for, and
what noise drowns in it is lost, with the strokes that follow from it. The noise share sqrt(1 - ᾱ) is 0.40 at the
noisiest step, 0.19 at step 25, 0.14 at step 32 and 0.05 at step 45."""


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
    """How far one step from timestep t goes towards the look: a little at t = 19, nearly all the way from 600 up."""
    return 1 - (1 - times.float() / 1000) ** 4
