"""Settings of the surfaces of the control server: OSC, MIDI, and the level of the sound."""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from sdstream.config.base import Address, Settings, is_loopback
from sdstream.controls.knobs import Knob, is_section, knob_of


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(f"should be an IP address, such as 192.168.1.20, not {text!r}") from None


def _known(name: str) -> str:
    if knob_of(name) is None and not is_section(name):
        raise ValueError(f"there is no control {name!r} with a single value, and no section of that name")
    return name


def _numeric(name: str) -> str:
    _number(name)
    return name


def _number(name: str) -> Knob:
    knob = knob_of(name)
    if knob is None or knob.kind not in ("number", "integer"):
        raise ValueError(f"{name!r} is no control with a number, such as guidance.scale or loras.NAME")
    return knob


_Sender = Annotated[str, Field(max_length=64), AfterValidator(_ip)]
_ControlName = Annotated[str, Field(min_length=1, max_length=300)]

Quantise = Literal["off", "beat", "bar"]
"""When a change that cannot glide takes effect, where a MIDI clock or a tap gives the beat."""


class OscSettings(Settings):
    """OSC (Open Sound Control) over UDP: the address is the control's name, such as `/guidance/scale`."""

    listen: Address = "127.0.0.1:9000"
    """`host:port` for messages in; 127.0.0.1 is this machine only."""
    controls: tuple[Annotated[_ControlName, AfterValidator(_known)], ...] = Field(min_length=1, max_length=128)
    """Controls that messages may change: names such as `prompt` or `guidance.scale`, or sections such as `loras`."""
    presets: bool = False
    """Whether `/preset NAME` brings presets on air; a preset may change any control."""
    senders: tuple[_Sender, ...] = Field((), max_length=64)
    """IP addresses that are heard; needed when `listen` is not on this machine's loopback. OSC has no passwords."""
    to: tuple[Address, ...] = Field((), max_length=8)
    """`host:port` of each listener for the changes of `controls`, so that faders follow."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.senders and not is_loopback(self.listen):
            raise ValueError(f"needs `senders`, because other machines can reach {self.listen}")
        return self


class MidiSettings(Settings):
    """A MIDI controller. Needs the extra `midi`; `sdstream ctl midi learn NAME` ties a knob to a control."""

    port: str = Field(min_length=1, max_length=256)
    """Name of the input, or a part of the name, such as `nanoKONTROL`; `sdstream ctl midi` prints the names."""
    learned: str | None = Field(None, min_length=1, max_length=4096)
    """File in which the learned knobs are kept; by default a file among the user's state."""


class Modulation(Settings):
    """A control that follows the level of the source's sound."""

    control: Annotated[_ControlName, AfterValidator(_numeric)]
    """Name of a control with a number, such as `loras.sketch`."""
    low: float | None = None
    """Value in silence; by default the lower end of the control's usual range."""
    high: float | None = None
    """Value at full level; by default the upper end of the control's usual range."""
    floor: float = Field(-50.0, ge=-100, lt=0)
    """Decibels below full scale that count as silence."""
    ceiling: float = Field(-10.0, gt=-100, le=0)
    """Decibels below full scale that count as full level."""
    attack: float = Field(0.03, ge=0, le=10)
    """Seconds for two thirds of the way up."""
    release: float = Field(0.3, ge=0, le=10)
    """Seconds for two thirds of the way down."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.floor >= self.ceiling:
            raise ValueError(f"ceiling {self.ceiling:g} must be above floor {self.floor:g}")
        usual = _number(self.control).usual
        if usual is None and (self.low is None or self.high is None):
            raise ValueError(f"needs `low` and `high`, because {self.control} has no usual range")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Values in silence and at full level."""
        usual = _number(self.control).usual or (0.0, 0.0)
        return usual[0] if self.low is None else self.low, usual[1] if self.high is None else self.high
