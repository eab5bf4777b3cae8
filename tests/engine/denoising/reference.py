"""The reference for the engine: denoising of one frame in float64, stage after stage, as the paper writes it."""

from collections.abc import Callable

import torch
from torch import Tensor

from sdstream.engine.denoising.coefficients import Sampling
from sdstream.engine.denoising.schedule import NoiseTable, Schedule
from sdstream.engine.denoising.stream_batch import Done, Recipe, Row, StreamBatch
from sdstream.engine.scheduler import noise_table

Model = Callable[[Tensor, float, float], Tensor]


def table(prediction: str = "epsilon") -> NoiseTable:
    return noise_table({"beta_schedule": "scaled_linear", "prediction_type": prediction})


def toy(x: Tensor, timestep: float, prompt: float) -> Tensor:
    """A bounded, nonlinear stand-in for a U-Net, mixing neighbours and channels, moved by time and prompt."""
    mixed = x + 0.5 * x.roll(1, -1) - 0.3 * x.roll(1, -2) + 0.2 * x.roll(1, -3)
    return torch.tanh(0.7 * mixed + prompt + torch.sin(torch.tensor(timestep / 100.0, dtype=torch.float64)).to(x.dtype))


class ToyUNet:
    """`toy` on a batch; conditions are (positive, negative) pairs of numbers."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, x: Tensor, timesteps: Tensor, rows: list[Row[tuple[float, float]]]) -> Tensor:
        assert len(x) == len(timesteps) == len(rows)
        self.calls.append(len(x))
        prompts = [row.condition[row.negative] for row in rows]
        return torch.stack([toy(x[i], timesteps[i].item(), prompt) for i, prompt in enumerate(prompts)])


def denoise(z: Tensor, sampling: Sampling, condition: tuple[float, float], model: Model = toy) -> Tensor:
    """Denoise one latent z [c, h, w] by equations 1 to 7."""
    schedule, guidance = sampling.schedule, sampling.guidance
    noise, z = sampling.noise.double(), z.double()
    gamma, delta, mode = guidance.scale, guidance.delta, guidance.mode
    x, reference, clean = schedule.a[0] * z + schedule.b[0] * noise[0], z, z
    for i, t in enumerate(schedule.timesteps):
        a, b = schedule.a[i], schedule.b[i]
        e = e_c = _noise_of(model(x, t, condition[0]), x, schedule, i)
        if mode != "none" and gamma > 1:
            asks = mode == "full" or (mode == "onetime_negative" and i == 0)
            e_n = _noise_of(model(x, t, condition[1]), x, schedule, i) if asks else None
            if mode == "onetime_negative" and e_n is not None:
                reference = (x - b * e_n) / a
            if mode == "full":
                assert e_n is not None
                e = e_n + gamma * (e_c - e_n)
            else:
                e_virt = (x - a * reference) / b
                e = delta * e_virt + gamma * (e_c - delta * e_virt)
        clean = schedule.c_out[i] * (x - b * e) / a + schedule.c_skip[i] * x
        move = schedule.moves[i]
        x = move.clean * clean + move.direction * e
        if i + 1 < len(schedule) and sampling.renoise:
            x = x + move.fresh * noise[i + 1]
    return x


def _noise_of(output: Tensor, x: Tensor, schedule: Schedule, i: int) -> Tensor:
    """Turn what the model predicts into the noise that it means."""
    a, b = schedule.a[i], schedule.b[i]
    if schedule.prediction == "epsilon":
        return output
    return a * output + b * x if schedule.prediction == "v_prediction" else (x - a * output) / b


def push(batch: StreamBatch, z: Tensor, recipe: Recipe, luggage: object = None, **more: object) -> Tensor | None:
    """Push, and return the latents that come out, if any."""
    return _latent(batch.push(z, recipe, luggage, **more))


def skip(batch: StreamBatch) -> Tensor | None:
    """Skip a call, and return the latents that come out, if any."""
    return _latent(batch.skip(None))


def flush(batch: StreamBatch) -> list[Tensor]:
    """Return the latents of the frames in flight; gaps are left out."""
    return [done.latent for done in batch.flush() if done.latent is not None]


def _latent(done: Done | None) -> Tensor | None:
    return None if done is None else done.latent
