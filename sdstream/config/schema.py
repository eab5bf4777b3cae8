"""The configuration of a run, a tree of frozen settings: the origin of the YAML format, the JSON schema and the docs.

`controls` change with every frame. `config/on_air/changes.py` says what the change of any further setting does on air.
"""

import re
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from sdstream.config.base import Settings
from sdstream.config.control import ControlSettings
from sdstream.config.engine import AnyEngine, DiffusionSettings
from sdstream.config.mistakes.existing_file import ExistingFile
from sdstream.config.sinks import AnySink
from sdstream.config.sources import AnySource
from sdstream.config.stabilise import StabiliseSettings
from sdstream.controls import Controls

_SIZE = r"^[0-9]{1,5}\s?[xX]\s?[0-9]{1,5}(\s?@\s?[0-9]{1,3}(\.[0-9]{1,9})?)?$"
_Size = Annotated[str, StringConstraints(pattern=_SIZE)]
_Ratio = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,7}\s?/\s?[0-9]{1,5}$")]


def canvas_in_full(value: object) -> object:
    """Return width, height and fps of `1280x720` or `1280x720@30`; any other value comes back unchanged."""
    if not isinstance(value, str) or not re.fullmatch(_SIZE, value):
        return value
    width, height, *fps = re.findall(r"[0-9.]+", value)
    return {"width": int(width), "height": int(height)} | ({"fps": float(fps[0])} if fps else {})


def _rate(value: object) -> object:
    """Return the number of a ratio such as `30000/1001`; any other value comes back unchanged."""
    match = re.fullmatch(r"([0-9]{1,7})\s?/\s?([0-9]{1,5})", value) if isinstance(value, str) else None
    return int(match[1]) / int(match[2]) if match and int(match[2]) else value


Fit = Literal["cover", "contain", "fill"]
"""How a picture with a different aspect ratio is put onto the canvas."""


class Canvas(Settings):
    """Output size and rate of a run, for all sinks; a change of the source never changes the canvas."""

    width: int = Field(1280, ge=16, le=8192, multiple_of=2)
    """Pixels; even, because video formats halve the resolution of colour."""
    height: int = Field(720, ge=16, le=8192, multiple_of=2)
    """Pixels; even, because video formats halve the resolution of colour."""
    fps: Annotated[float, BeforeValidator(_rate, json_schema_input_type=float | _Ratio)] = Field(30.0, ge=1, le=240)
    """Pictures a second; 30000/1001, 29.97, 23.976 and 59.94 are taken as the broadcast rates N*1000/1001."""
    fit: Fit = "cover"
    """For a source with a different aspect ratio: crop (`cover`), letterbox (`contain`) or stretch (`fill`)."""

    @property
    def rate(self) -> Fraction:
        """The exact rate: 29.97 is 30000/1001."""
        broadcast = Fraction(round(self.fps * 1.001) * 1000, 1001)
        if abs(float(broadcast) - self.fps) < 0.005 and self.fps != round(self.fps):
            return broadcast
        return Fraction(self.fps).limit_denominator(1000)


class Air(Settings):
    """How a sink goes down and up the fallback ladder: live, held, camera, slate."""

    hold: float = Field(0.5, ge=0, le=10)
    """Seconds for which the last live picture (or the last camera picture) is held before the next rung."""
    fade: float = Field(0.25, ge=0, le=5)
    """Seconds of the crossfade between rungs; 0 cuts."""
    slate: ExistingFile | None = None
    """Picture for the last rung, without a restyled or a camera picture; a built-in picture by default."""


class Config(Settings):
    """A run of sdstream."""

    version: Literal[1]
    """Version of this format."""
    canvas: Annotated[Canvas, BeforeValidator(canvas_in_full, json_schema_input_type=Canvas | _Size)] = Canvas()
    """Size and rate of every output; `1280x720` and `1280x720@30` are understood."""
    source: AnySource
    """Where the picture comes from."""
    engine: AnyEngine = DiffusionSettings()
    """How the picture is restyled."""
    stabilise: StabiliseSettings = StabiliseSettings()
    """How the picture is held steady; `controls.steadiness` says how firmly."""
    controls: Controls = Controls()
    """Settings that may change on air, such as prompt, steps and guidance."""
    sinks: tuple[AnySink, ...] = Field(min_length=1, max_length=16)
    """Where the restyled picture goes."""
    control: ControlSettings | None = None
    """The control server: state, controls, presets, events and metrics over HTTP; none by default."""
    air: Air = Air()
    """What the sinks show when the picture stops coming."""
