"""What a publisher wants, as the events of a session."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """A peer asks to publish; answer with `accept` or `reject`."""

    app: str
    name: str
    """Stream name, called stream key in streaming programs."""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """A peer connects and has to log in; answer with `log_in` or `ask_to_log_in`."""

    query: dict[str, str]
    """Parameters after the application's name."""


@dataclass(frozen=True, slots=True)
class Media:
    """A message of the publication: kind 8 sound, 9 picture, 18 data (metadata)."""

    kind: int
    timestamp: int
    """Milliseconds, modulo 2**32."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class PublishFinished:
    """The peer ended the publication."""


Event = PublishRequest | LoginRequest | Media | PublishFinished
