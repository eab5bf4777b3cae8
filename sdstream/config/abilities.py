"""Finds the controls that a run's engine or source cannot follow, from the settings alone, without loading a model."""

from collections.abc import Collection
from dataclasses import dataclass

from sdstream.config.engine import AnyEngine, DiffusionSettings, PassthroughSettings
from sdstream.config.mistakes.explain import suggestion
from sdstream.config.sources import AnySource
from sdstream.controls import Controls, Region


@dataclass(frozen=True)
class Obstacle:
    """A control that the engine or the source cannot follow."""

    path: tuple[str, ...]
    """Names from the root of the controls, as ("region", "mode")."""
    reason: str
    forbidden: bool = False
    """Whether a permission is all that is missing."""


def obstacles(engine: AnyEngine, source: AnySource, controls: Controls) -> list[Obstacle]:
    """Return the controls that engine or source cannot follow. Passthrough ignores its controls, and refuses none."""
    found = _audio_track(source, controls)
    return found if isinstance(engine, PassthroughSettings) else found + _engine_obstacles(engine, controls)


def _audio_track(source: AnySource, controls: Controls) -> list[Obstacle]:
    if not controls.sound.track:
        return []
    reason = ""
    if source.kind == "rtmp" and source.listen:
        reason = "the RTMP server hands on a single track of a publisher; choose with source.audio_track"
    elif source.kind == "ndi":
        reason = "an NDI source has a single audio track"
    return [Obstacle(("sound", "track"), reason)] if reason else []


def _engine_obstacles(engine: DiffusionSettings, controls: Controls) -> list[Obstacle]:
    reasons = {("loras", name): _lora(engine, name) for name in controls.loras}
    for section, asked, known in (
        ("controlnets", controls.controlnets, engine.controlnets),
        ("ip_adapters", controls.ip_adapters, engine.ip_adapters),
    ):
        reasons |= {(section, name): _one_of(section, name, tuple(known)) for name in asked}
    reasons |= {("region", "mode"): _region(engine, controls.region)}
    return [Obstacle(path, reason) for path, reason in reasons.items() if reason]


def _lora(engine: DiffusionSettings, name: str) -> str:
    if name in engine.loras and engine.loras[name].fuse:
        return (
            f"this LoRA is fused at load, so the weight is fixed; to change this, set engine.loras.{name}.fuse: false"
        )
    return _one_of("loras", name, [known for known, lora in engine.loras.items() if not lora.fuse])


def _one_of(section: str, name: str, known: Collection[str]) -> str:
    if name in known:
        return ""
    listed = ", ".join(known) or "none"
    return f"the engine has no such name; engine.{section} has: {listed}{suggestion(name, list(known))}"


def _region(engine: DiffusionSettings, region: Region) -> str:
    if region.mode == "mask" and engine.mask is None:
        return "mask needs engine.mask, a picture with the restyled part in white"
    if region.mode in ("person", "background") and engine.segmentation_model is None:
        return f"{region.mode} needs engine.segmentation_model, a person segmentation model in transformers layout"
    return ""
