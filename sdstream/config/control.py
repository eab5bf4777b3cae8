"""Settings of the control server."""

import re
from typing import Annotated, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from sdstream.config.base import Address, Settings, is_loopback
from sdstream.config.surfaces import MidiSettings, Modulation, OscSettings, Quantise

_TOKEN = r"[A-Za-z0-9_-]{16,128}"  # noqa: S105 - the pattern of a token, not a token
_Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,253}$")]
_Origin = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]{1,261}$")]


class ControlSettings(Settings):
    """The control server: state, controls, presets, events and metrics over HTTP. Needs the extra `control`."""

    listen: Address = "127.0.0.1:8402"
    """`host:port` of the server; 127.0.0.1 is this machine only, port 0 takes a free port, and the log names the
    port."""
    token: SecretStr | None = None
    """Key of 16 to 128 letters, digits, - and _ for every change. Without the setting, each run makes a random token,
    which `sdstream ctl` finds by itself. Needed when `listen` is not on this machine's loopback."""
    read_token: SecretStr | None = None
    """Key for looking only. Without the setting, every program on this machine may look; other machines need a
    token."""
    hosts: tuple[_Host, ...] = Field((), max_length=16)
    """Host names under which browsers may open the server, besides IP addresses and `localhost`."""
    origins: tuple[_Origin, ...] = Field((), max_length=16)
    """Web sites whose scripts may use the server, such as `https://deck.example`; none by default."""
    rate: float = Field(20.0, ge=1, le=1000)
    """Requests a second from one address; a burst may be twice as large."""
    clients: int = Field(32, ge=1, le=256)
    """Connections at once."""
    presets: str | None = Field(None, min_length=1, max_length=4096)
    """File in which the presets are kept; by default a file among the user's state."""
    osc: OscSettings | None = None
    """Messages from consoles, decks and other programs over OSC; off without the section."""
    midi: MidiSettings | None = None
    """Knobs, faders and pads of a MIDI controller; off without the section."""
    modulation: tuple[Modulation, ...] = Field((), max_length=16)
    """Controls that follow the level of the source's sound."""
    quantise: Quantise = "off"
    """When a prompt, a preset or a switch from OSC or MIDI takes effect: at once, on the next beat, or on the next bar
    of four beats. The beat comes from a MIDI clock, from `/tap`, or from `sdstream ctl tap`."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        for name, secret in (("token", self.token), ("read_token", self.read_token)):
            if secret is not None and not re.fullmatch(_TOKEN, secret.get_secret_value()):
                raise ValueError(f"needs a `{name}` of 16 to 128 letters, digits, - and _")
        if self.token is None and not is_loopback(self.listen):
            raise ValueError(f"needs a `token`, because other machines can reach {self.listen}")
        return self
