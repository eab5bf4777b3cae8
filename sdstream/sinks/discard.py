"""Drops every picture: for measuring, and for running without a receiver."""

from typing import Self

from sdstream.frame import Frame, Samples
from sdstream.sinks import Due
from sdstream.system.endpoint import Endpoint


def listing() -> list[Endpoint]:
    """Return the endpoint for dropping pictures, present on every machine."""
    return [Endpoint("no receiver", "", {"kind": "discard"}, "for measuring")]


class DiscardSink:
    """A sink without a receiver, always open and never slow."""

    def __init__(self, *unused: object) -> None:
        """Accept the arguments of every sink, and use none."""

    def __enter__(self) -> Self:
        """Open nothing."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close nothing."""

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Drop picture and sound."""

    def facts(self) -> dict[str, float]:
        """Return no facts: there is no receiver."""
        return {}
