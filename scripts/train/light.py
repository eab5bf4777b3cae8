"""Changed light for the same scene, as between two frames of a camera: a look should not follow such changes."""

import numpy as np
import torch
from torch import Tensor


def relight(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Change exposure by up to 8 % and gamma by up to 10 % and add grain, in half of the pictures.  # [n, 3, h, w]"""
    count = len(pictures)
    changed = rng.random(count) < 0.5
    gain = np.where(changed, rng.uniform(0.92, 1.08, count), 1.0)
    gamma = np.where(changed, rng.uniform(0.9, 1.1, count), 1.0)
    grain = np.where(changed, rng.uniform(0.0, 0.03, count), 0.0)
    gains, gammas, grains = (
        torch.from_numpy(a).float().to(pictures.device).view(-1, 1, 1, 1) for a in (gain, gamma, grain)
    )
    light = (pictures / 2 + 0.5).clamp(1e-4, 1) ** gammas * gains
    noise = torch.randn_like(light[:1])  # the same for all pictures: new noise for each took 5 % of the training's time
    return ((light + grains * noise) * 2 - 1).clamp(-1, 1)
