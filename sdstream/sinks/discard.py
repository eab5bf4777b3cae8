"""Takes every picture and shows it to nobody: for measuring, and for running without a taker."""

from typing import Self

from sdstream.frame import Frame, Samples
from sdstream.sinks import Due
from sdstream.system.endpoint import Endpoint


def listing() -> list[Endpoint]:
    """Return the one endpoint that every machine has."""
    return [Endpoint("nobody", "", {"kind": "discard"}, "for measuring")]


class DiscardSink:
    """A sink that is always there and never slow."""

    def __init__(self, *given: object) -> None:
        """Take what every sink is given, and need none of it."""

    def __enter__(self) -> Self:
        """Open nothing."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close nothing."""

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Drop both."""

    def facts(self) -> dict[str, float]:
        """Know nothing."""
        return {}
