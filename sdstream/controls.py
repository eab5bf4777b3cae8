"""What may change on every frame while on air; a frame is finished with the controls that it started with."""

import unicodedata
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

TIMESTEPS = 50
"""`steps` index this many timesteps, evenly spaced over the model's training range (the paper's t_index_list)."""

Prediction = Literal["epsilon", "v_prediction", "sample"]
"""What a model predicts: the noise, the velocity, or the clean picture."""

GuidanceMode = Literal["none", "full", "self_negative", "onetime_negative"]
"""Where the negative estimate of classifier-free guidance comes from (paper section 3.3)."""


def _printable(text: str) -> str:
    """Refuse what no tokenizer should see; right-to-left text and emoji are fine."""
    for place, letter in enumerate(text):
        if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\t\n\r":
            raise ValueError(f"character {place} is a control character (U+{ord(letter):04X}); remove it")
    return text


def _increasing(steps: tuple[int, ...]) -> tuple[int, ...]:
    if any(later <= sooner for sooner, later in pairwise(steps)):
        raise ValueError(f"steps {list(steps)} must increase, for example [32, 45]")
    return steps


Text = Annotated[str, Field(max_length=10_000), AfterValidator(_printable)]
"""A prompt: at most 10,000 characters, of which the text encoder reads its first 75 tokens."""

Weight = Annotated[float, Field(ge=0, le=100)]
"""A share in a blend; the shares are divided by their sum."""

Seed = Annotated[int, Field(ge=0, lt=2**63)]
"""Number that the noise is drawn from."""

Name = Annotated[str, Field(min_length=1, max_length=256)]
"""Name that the engine's settings gave to a LoRA or a ControlNet."""

Steps = Annotated[
    tuple[Annotated[int, Field(ge=0, lt=TIMESTEPS)], ...],
    Field(min_length=1, max_length=TIMESTEPS),
    AfterValidator(_increasing),
]
"""Increasing indices into the scheduler's 50 timesteps."""

Blend = Literal["linear", "slerp"]
"""Straight average, or along the sphere, which keeps the length."""


class Control(BaseModel):
    """Base of all controls: frozen, strict about unknown keys, no NaN, docstrings become the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class WeightedPrompt(Control):
    """One prompt of several."""

    text: Text
    """The prompt; `(word:1.3)` gives a part more weight, `(word)` 1.1 and `[word]` 1/1.1."""
    weight: Weight = 1.0
    """Its share in the blend."""


class WeightedSeed(Control):
    """One seed of several."""

    seed: Seed
    """The seed."""
    weight: Weight = 1.0
    """Its share in the blend."""


def _some_weight(parts: tuple[WeightedPrompt, ...] | tuple[WeightedSeed, ...]) -> None:
    if not any(part.weight > 0 for part in parts):
        raise ValueError("one of the weights must be above 0")


Prompt = Text | Annotated[tuple[WeightedPrompt, ...], Field(min_length=1, max_length=16)]
"""One prompt, or up to sixteen with weights."""


def readable(prompt: Prompt) -> str:
    """Return a prompt in one line; several with their weights: `oil:1 + ink:0.5`."""
    if isinstance(prompt, str):
        return prompt
    return " + ".join(f"{part.text}:{part.weight:g}" for part in prompt)


Seeds = Seed | Annotated[tuple[WeightedSeed, ...], Field(min_length=1, max_length=16)]
"""One seed, or up to sixteen with weights."""


class Guidance(Control):
    """Classifier-free guidance: how hard the prompt pulls (paper section 3.3)."""

    mode: GuidanceMode = "self_negative"
    """`none` (one U-Net row a step), `full` (two), `self_negative` (the camera picture stands for the
    negative: one) or `onetime_negative` (the negative prompt, asked once a frame)."""
    scale: float = Field(1.2, ge=0, le=30)
    """The paper's gamma; 1 and below is no guidance."""
    delta: float = Field(0.5, ge=0, le=5)
    """Strength of the virtual residual noise, for the last two modes."""
    distilled: float = Field(8.5, ge=1, le=30)
    """Guidance that is built into the model, for checkpoints that take it as an input (LCM); others do not look."""


class Similarity(Control):
    """When a picture is so like the last one that the engine may rest (paper section 3.4)."""

    mode: Literal["stochastic", "threshold", "off"] = "stochastic"
    """`stochastic` rests the more often the more alike (the paper), `threshold` whenever alike enough."""
    threshold: float = Field(0.98, ge=0, lt=1)
    """The paper's eta: similarity above which a frame may be skipped."""
    max_skips: int = Field(10, ge=0, le=100_000)
    """Frames skipped in a row before one is rendered all the same."""


class Region(Control):
    """Which part of the picture is restyled."""

    mode: Literal["everything", "person", "background", "mask"] = "everything"
    """`mask` takes the picture named by `engine.mask`; person and background need a segmentation model."""
    edge: Literal["feather", "seamless"] = "feather"
    """`feather` fades between the two pictures; `seamless` makes the restyled part meet the camera picture without
    a rim (a screened membrane: its own colours stay inside), and costs more."""
    feather: float = Field(0.02, ge=0, le=0.5)
    """Width of the soft edge of `feather`, as a share of the picture's height."""


class Cue(Control):
    """A change of prompt that comes by itself."""

    at: float = Field(ge=0, le=86_400)
    """Seconds after these controls took effect."""
    prompt: Prompt
    """The prompt from then on."""
    transition: float = Field(0.0, ge=0, le=3_600)
    """Seconds of the crossfade to it."""


STEADINESS = {"off": 0.0, "light": 0.4, "steady": 0.8, "frozen": 0.95}
"""Named places of the steadiness slider."""


AirOverride = Literal["live", "bypass", "freeze", "black"]
"""What every sink is told to show: `live` leaves the choice to its fallback ladder."""


class Controls(Control):
    """Everything that may change while on air."""

    air: AirOverride = "live"
    """The panic switch, obeyed by every output with its next picture: `bypass` cuts to the camera, untouched (to the
    slate while there is none); `freeze` holds the picture that is on air; `black` is black. The sound goes on, and the
    engine keeps running, so that `live` fades back at once."""
    prompt: Prompt = "thick oil painting"
    """What the picture should look like."""
    negative_prompt: Text = ""
    """What it should not; used by `full` and `onetime_negative` guidance."""
    blend: Blend = "linear"
    """How several prompts are mixed, and one faded into the next."""
    transition: float = Field(0.0, ge=0, le=3_600)
    """Seconds in which a new prompt fades in."""
    cues: tuple[Cue, ...] = Field((), max_length=1_000)
    """Prompts that follow by themselves, in order of time."""
    cues_loop: float = Field(0.0, ge=0, le=86_400)
    """Seconds after which the cues start again; 0 plays them once."""
    seed: Seeds = 2
    """Noise that the picture grows from; the same seed gives the same strokes."""
    seed_blend: Blend = "slerp"
    """How several seeds are mixed; both ways keep the noise at unit variance."""
    steps: Steps = (32, 45)
    """Denoising steps; a lower first step strays further from the camera picture."""
    renoise: bool = True
    """Add fresh noise between steps (LCM sampling); off keeps more of the step before."""
    guidance: Guidance = Guidance()
    """How hard the prompt pulls."""
    similarity: Similarity = Similarity()
    """When the engine may rest on a still picture."""
    cross_frame_attention: bool = False
    """Let the frames in flight look at each other (paper section 3.2): steadier, and slower."""
    loras: dict[Name, Annotated[float, Field(ge=-10, le=10)]] = Field({}, max_length=16)
    """Weight of each LoRA that the engine loaded; one not named here rests."""
    controlnets: dict[Name, Annotated[float, Field(ge=0, le=10)]] = Field({}, max_length=8)
    """Scale of each ControlNet that the engine loaded; one not named here has scale 1."""
    region: Region = Region()
    """Which part of the picture is restyled."""
    steadiness: Literal["off", "light", "steady", "frozen"] | Annotated[float, Field(ge=0, le=1)] = "off"
    """How firmly the restyled picture follows the camera's motion instead of flickering: a preset or 0 to 1."""

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
            raise ValueError(f"cues must be in order of time, and are at {times}")
        if self.cues_loop and times and self.cues_loop <= times[-1]:
            raise ValueError(f"cues_loop {self.cues_loop} must come after the last cue, at {times[-1]}")
        return self
