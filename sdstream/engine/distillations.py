"""The few-step distillations known by the name of the published file: sampler, timesteps and prediction of each.

The files themselves say nothing of all this; the model cards do. A file with a different name needs the settings
`sampler`, `timestep_spacing`, `eta` and `prediction`.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import TIMESTEPS, Prediction, SamplerName
from sdstream.engine.weights.scheduler_config import SamplingChoice


@dataclass(frozen=True)
class Distillation:
    """A few-step distillation."""

    family: str
    sampler: SamplerName
    steps: tuple[float, ...]
    """The positions of the trained timesteps, for `controls.steps`; empty where any steps will do."""
    eta: float | None = None
    prediction: Prediction | None = None
    """None leaves the prediction to the base model's scheduler config."""


@dataclass(frozen=True)
class ModelSampling:
    """The sampling of a model, by the settings and by the names of the files."""

    choice: SamplingChoice
    reason: str
    """The reason of the choice, for the log."""
    fields: dict[str, str] = field(default_factory=dict)
    """Fields that replace fields of the scheduler config."""
    steps: tuple[float, ...] = ()
    """The trained steps, for `controls.steps`; empty where any steps will do."""


def choose_sampling(settings: DiffusionSettings) -> ModelSampling:
    """Return the sampling of the settings; a file with a known name fills in for `auto`."""
    sampler = None if settings.sampler == "auto" else settings.sampler
    spacing = None if settings.timestep_spacing == "auto" else settings.timestep_spacing
    prediction = None if settings.prediction == "auto" else settings.prediction
    loras = [lora.file or lora.path for lora in settings.loras.values()]
    known = recognise((*([settings.unet] if settings.unet else []), *loras, settings.model))
    reason = "the scheduler config" if sampler is None else "engine.sampler"
    if known is None:
        choice = SamplingChoice(sampler, settings.eta, spacing)
        return ModelSampling(choice, reason, {"prediction_type": prediction} if prediction else {})
    own = sampler in (None, known.sampler)
    eta = known.eta if settings.eta is None and own else settings.eta
    prediction = prediction or known.prediction
    return ModelSampling(
        SamplingChoice(sampler or known.sampler, eta, spacing or "trailing"),
        f"the file is {known.family}" if sampler is None else reason,
        {"prediction_type": prediction} if prediction else {},
        known.steps,
    )


def recognise(names: Iterable[str]) -> Distillation | None:
    """Return the distillation of the first known name (of a hub id, a folder or a file); None without a known name."""
    for name in names:
        file = re.split(r"[/\\]|::", name.rstrip("/\\"))[-1].lower().replace("-", "_")
        for pattern, make in _KNOWN:
            if match := re.match(pattern, file):
                return make(match)
    return None


def _even(count: int) -> tuple[float, ...]:
    """Return `count` positions of equal distance, from the noisiest (`trailing` in diffusers)."""
    return tuple(i * TIMESTEPS / count for i in range(count))


def _whole(count: int) -> tuple[float, ...]:
    """Return the positions that diffusers' LCM and TCD choose for `count` steps: rounded down."""
    return tuple(float(int(step)) for step in _even(count))


def _lightning(match: re.Match[str]) -> Distillation:
    count = int(match["count"])
    # The single step predicts the picture, because noise has no signal at timestep 999.
    return Distillation("SDXL-Lightning", "euler", _even(count), prediction="sample" if count == 1 else None)


def _hyper(match: re.Match[str]) -> Distillation:
    count = int(match["count"])
    if match["part"] == "unet":
        return Distillation("Hyper-SD", "lcm", ((999 - 800) / 20,))
    if count == 1:
        return Distillation("Hyper-SD", "tcd", _whole(1), eta=1.0)
    return Distillation("Hyper-SD", "ddim", _even(count))


def _dmd2(match: re.Match[str]) -> Distillation:
    times = (399,) if match["count"] == "1" else (999, 749, 499, 249)
    return Distillation("DMD2", "lcm", tuple((999 - t) / 20 for t in times))


def _pcm(match: re.Match[str]) -> Distillation:
    if match["kind"] == "lcmlike":
        return Distillation("PCM", "lcm", ())
    return Distillation("PCM", "ddim", _even(int(match["count"])))


_KNOWN: tuple[tuple[str, Callable[[re.Match[str]], Distillation]], ...] = (
    (r"sdxl_lightning_(?P<count>[1248])step", _lightning),
    (r"hyper_sd(15|xl)_(?P<count>\d+)steps?_(cfg_)?(?P<part>lora|unet)", _hyper),
    (r"dmd2_sdxl_(?P<count>[14])step_(unet|lora)", _dmd2),
    (r"pcm_sd(15|xl)_(?P<kind>lcmlike)", _pcm),
    (r"pcm_sd(15|xl)_(?P<kind>normalcfg|smallcfg)_(?P<count>\d+)step", _pcm),
    (r"tcd_sd(15|xl|21_base)\w*_lora", lambda _: Distillation("TCD", "tcd", _whole(4), eta=0.3)),
    (r"lcm_lora_", lambda _: Distillation("LCM-LoRA", "lcm", ())),
)
"""Pattern of a file's name, in lower case with `_` for `-`, and the distillation."""
