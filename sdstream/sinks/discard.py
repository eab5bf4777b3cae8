"""Takes every picture and shows it to nobody: for measuring, and for running without a taker."""

from typing import Self

from sdstream.frame import Frame, Samples
from sdstream.sinks import Due


class DiscardSink:
    """A sink that is always there and never slow."""

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
