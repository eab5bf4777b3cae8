"""Settings that may change on air. A frame is finished with the controls of its start."""

import re
import unicodedata
from itertools import pairwise
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from sdstream.controls.base import Control, hand
from sdstream.controls.guidance import Guidance as Guidance
from sdstream.controls.guidance import GuidanceMode as GuidanceMode
from sdstream.controls.sound import Sound

TIMESTEPS = 50
"""Timesteps for `steps` to choose from, evenly spaced over the model's training range (the paper's t_index_list)."""

Prediction = Literal["epsilon", "v_prediction", "sample"]
"""The prediction of a model: the noise, the velocity, or the clean picture."""

SamplerName = Literal["lcm", "euler", "euler_ancestral", "ddim", "tcd"]
"""The way from a denoising step to the next; see `engine/denoising/sampler.py`."""


SimilarityMode = Literal["stochastic", "threshold", "off"]
"""How the engine chooses the pictures to skip (paper section 3.4)."""

RegionMode = Literal["everything", "person", "background", "mask"]
"""Parts of the picture that can be restyled."""


def _printable(text: str) -> str:
    """Return `text`. Raises ValueError for a control character or a surrogate; right-to-left text and emoji pass."""
    for index, letter in enumerate(text):
        if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\t\n\r":
            raise ValueError(f"character {index} is a control character (U+{ord(letter):04X}); remove the character")
    return text


def _increasing(steps: tuple[float, ...]) -> tuple[float, ...]:
    if any(later <= sooner for sooner, later in pairwise(steps)):
        raise ValueError(f"steps {list(steps)} must increase, for example [32, 45]")
    return steps


def _whole(step: float) -> float:
    """Return a whole number as an int, which prints without `.0`."""
    return int(step) if step.is_integer() else step


def _steps(value: object) -> object:
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


def _clock(value: object) -> object:
    """Return the seconds of a time such as `1:30` or `1:02:03.5`; anything else comes back unchanged."""
    match = re.fullmatch(r"(?:(\d{1,4}):)?(\d{1,4}):([0-5]?\d(?:\.\d+)?)", value) if isinstance(value, str) else None
    return int(match[1] or 0) * 3600 + int(match[2]) * 60 + float(match[3]) if match else value


def _blend(value: object) -> object:
    """Return a list of prompts for `{anime: 1, oil: 2}`, `{text: anime}` and `[anime, oil]`."""
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return [value]
    if isinstance(value, dict) and value and all(isinstance(weight, int | float) for weight in value.values()):
        return [{"text": text, "weight": weight} for text, weight in value.items()]
    if isinstance(value, list | tuple):
        return [{"text": part} if isinstance(part, str) else part for part in value]
    return value


def _seeds(value: object) -> object:
    """Return a list of seeds with weights for `[1, 2]`; anything else comes back unchanged."""
    if isinstance(value, list | tuple):
        return [{"seed": part} if isinstance(part, int) and not isinstance(part, bool) else part for part in value]
    return value


def _mode(value: object) -> object:
    return {"mode": value} if isinstance(value, str) else value


def _guidance(value: object) -> object:
    return {"scale": value} if isinstance(value, int | float) and not isinstance(value, bool) else _mode(value)


Text = Annotated[str, Field(max_length=10_000), AfterValidator(_printable)]
"""A prompt of at most 10,000 characters; see `engine.long_prompts` for more than 75 tokens."""

Weight = Annotated[float, Field(ge=0, le=100)]
"""A share in a blend; each share is divided by the sum of all."""

Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""Seed of the noise."""

Name = Annotated[str, Field(min_length=1, max_length=256)]
"""Name of a LoRA, a ControlNet or an IP-Adapter in the engine's settings."""

_Step = Annotated[float, Field(ge=0, lt=TIMESTEPS), AfterValidator(_whole)]

Steps = Annotated[
    tuple[_Step, ...],
    Field(min_length=1, max_length=TIMESTEPS),
    AfterValidator(_increasing),
    BeforeValidator(
        _steps, json_schema_input_type=_Step | Annotated[list[_Step], Field(min_length=1, max_length=TIMESTEPS)]
    ),
]
"""Increasing positions among the scheduler's 50 timesteps, with fractions; a single number is a list of one."""

Blend = Literal["linear", "slerp"]
"""`linear` is a weighted average; `slerp` follows the sphere and so keeps the length."""


class WeightedPrompt(Control):
    """A prompt of a blend."""

    text: Text
    """The prompt; `(word:1.3)` gives a part more weight, `(word)` 1.1 and `[word]` 1/1.1."""
    weight: Weight = 1.0
    """Share of the prompt in the blend."""


class WeightedSeed(Control):
    """A seed of a blend."""

    seed: Seed
    """The seed."""
    weight: Weight = 1.0
    """Share of the seed in the blend."""


def _some_weight(parts: tuple[WeightedPrompt, ...] | tuple[WeightedSeed, ...]) -> None:
    if not any(part.weight > 0 for part in parts):
        raise ValueError("every weight is 0; give at least one above 0")


_Prompts = Annotated[list[WeightedPrompt | Text], Field(min_length=1, max_length=16)]

Prompt = Annotated[
    Text | Annotated[tuple[WeightedPrompt, ...], Field(min_length=1, max_length=16)],
    BeforeValidator(_blend, json_schema_input_type=Text | _Prompts | dict[str, Weight]),
]
"""A prompt, or up to sixteen prompts with weights; `{anime: 1, oil: 2}` and `[anime, oil]` are understood."""


def readable(prompt: Prompt) -> str:
    """Return a prompt as text; a blend shows the weights: `oil:1 + ink:0.5`."""
    if isinstance(prompt, str):
        return prompt
    return " + ".join(f"{part.text}:{part.weight:g}" for part in prompt)


_Seeds = Annotated[list[WeightedSeed | Seed], Field(min_length=1, max_length=16)]

Seeds = Annotated[
    Seed | Annotated[tuple[WeightedSeed, ...], Field(min_length=1, max_length=16)],
    BeforeValidator(_seeds, json_schema_input_type=Seed | _Seeds),
]
"""A seed, or up to sixteen seeds with weights; `[1, 2]` is understood."""


class Similarity(Control):
    """When the engine may skip a picture that is like the last (paper section 3.4)."""

    mode: SimilarityMode = "stochastic"
    """`stochastic` skips more often the more alike the pictures are (the paper); `threshold` skips at a
    similarity of `threshold` or more; `off` never skips."""
    threshold: float = Field(0.98, ge=0, lt=1)
    """The paper's eta: a frame may be skipped above this similarity."""
    max_skips: int = Field(10, ge=0, le=100_000)
    """Most frames skipped in a row; the next frame is rendered all the same."""


class Region(Control):
    """The restyled part of the picture."""

    mode: RegionMode = "everything"
    """`mask` restyles the white part of `engine.mask`; `person` and `background` need `engine.segmentation_model`."""
    edge: Literal["feather", "seamless"] = "feather"
    """`feather` fades between the restyled picture and the camera picture. `seamless` fits the restyled part to the
    camera picture at the edge, without a rim (a screened membrane: colours further inside stay), and costs more."""
    feather: float = Field(0.02, ge=0, le=0.5)
    """Width of the soft edge of `feather`, as a share of the picture's height."""


_Clock = Annotated[str, StringConstraints(pattern=r"^(\d{1,4}:)?\d{1,4}:[0-5]?\d(\.\d+)?$")]


class Cue(Control):
    """A change of prompt at a given second."""

    at: Annotated[float, BeforeValidator(_clock, json_schema_input_type=float | _Clock)] = Field(ge=0, le=86_400)
    """Seconds after the controls with this cue took effect; "1:30" is understood."""
    prompt: Prompt
    """The prompt from then on."""
    transition: float = Field(0.0, ge=0, le=3_600)
    """Seconds of the crossfade to the prompt."""


Steadiness = Literal["off", "light", "steady", "frozen"]
"""Presets of the steadiness slider, from the least to the most."""

STEADINESS: dict[str, float] = dict(zip(get_args(Steadiness), (0.0, 0.4, 0.8, 0.95), strict=True))
"""The presets as numbers from 0 to 1."""

AirOverride = Literal["live", "bypass", "freeze", "black"]
"""The picture of every sink; `live` leaves the choice to the sink's fallback ladder."""


SHORT_FORMS = {"prompt": _blend, "guidance": _guidance, "similarity": _mode, "region": _mode}
"""Returns the long form of a control with parts; the names of the parts can then be set one by one."""


class Controls(Control):
    """All settings that may change on air."""

    air: AirOverride = "live"
    """The panic switch, obeyed by every output with the next picture: `bypass` cuts to the untouched camera picture (to
    the slate while there is no camera picture); `freeze` holds the picture on air; `black` is black. The sound goes on,
    and the engine keeps running, so `live` fades back at once."""
    prompt: Prompt = "thick oil painting"
    """The look of the restyled picture, in words."""
    negative_prompt: Text = ""
    """The look to avoid, in words; used by `full` and `onetime_negative` guidance."""
    blend: Blend = "linear"
    """How several prompts are mixed, and how a prompt fades into the next."""
    transition: float = Field(0.0, ge=0, le=3_600, json_schema_extra=hand(0, 10, glide=0))
    """Seconds of the crossfade to a new prompt."""
    cues: tuple[Cue, ...] = Field((), max_length=1_000)
    """Changes of prompt at given seconds, in order of time."""
    cues_loop: float = Field(0.0, ge=0, le=86_400)
    """Seconds until the cues start again; 0 plays the cues once."""
    seed: Seeds = 2
    """Seed of the noise under the picture; the same seed gives the same strokes."""
    seed_blend: Blend = "slerp"
    """How several seeds are mixed; `linear` and `slerp` both keep the noise at unit variance."""
    steps: Steps = (32, 45)
    """Denoising steps, increasing, out of 50; a lower first step strays further from the camera picture. A fraction
    lies between two timesteps: 12.5 is timestep 749 of 1000. The log names the steps of a few-step model."""
    renoise: bool = True
    """Add fresh noise between steps (LCM sampling); `false` keeps more of the step before."""
    guidance: Annotated[
        Guidance, BeforeValidator(_guidance, json_schema_input_type=Guidance | GuidanceMode | float)
    ] = Guidance()
    """How hard the prompt pulls; a single word is the `mode`, a single number the `scale`."""
    similarity: Annotated[Similarity, BeforeValidator(_mode, json_schema_input_type=Similarity | SimilarityMode)] = (
        Similarity()
    )
    """When the engine may skip a still picture; a single word is the `mode`."""
    cross_frame_attention: bool = False
    """Let each frame attend to all frames in flight (paper section 3.2): steadier, and slower."""
    loras: dict[Name, Annotated[float, Field(ge=-10, le=10, json_schema_extra=hand(0, 1.5))]] = Field({}, max_length=16)
    """Weight of each LoRA in `engine.loras`; a LoRA not listed has weight 0."""
    controlnets: dict[Name, Annotated[float, Field(ge=0, le=10, json_schema_extra=hand(0, 2))]] = Field(
        {}, max_length=8
    )
    """Scale of each ControlNet in `engine.controlnets`; a ControlNet not listed has scale 1."""
    ip_adapters: dict[Name, Annotated[float, Field(ge=-10, le=10, json_schema_extra=hand(0, 1.5))]] = Field(
        {}, max_length=8
    )
    """Weight of each IP-Adapter in `engine.ip_adapters`; an IP-Adapter not listed has weight 1."""
    region: Annotated[Region, BeforeValidator(_mode, json_schema_input_type=Region | RegionMode)] = Region()
    """The restyled part of the picture; a single word is the `mode`."""
    sound: Sound = Sound()
    """Loudness, mute, track and timing of the sound."""
    steadiness: Steadiness | Annotated[float, Field(ge=0, le=1, json_schema_extra=hand(0, 1))] = "off"
    """How firmly the restyled picture follows the camera's motion instead of flickering: a preset, or 0 to 1."""

    @property
    def firmness(self) -> float:
        """`steadiness` as a number."""
        return STEADINESS[self.steadiness] if isinstance(self.steadiness, str) else self.steadiness

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not isinstance(self.prompt, str):
            _some_weight(self.prompt)
        if not isinstance(self.seed, int):
            _some_weight(self.seed)
        times = [cue.at for cue in self.cues]
        if times != sorted(times):
            raise ValueError(f"cues must be in order of time, but are at {times}; sort the cues by `at`")
        if self.cues_loop and times and self.cues_loop <= times[-1]:
            raise ValueError(f"cues_loop {self.cues_loop} must come after the last cue, at {times[-1]}")
        return self
