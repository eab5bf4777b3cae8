"""The arguments of a sink besides the settings: canvas, reopening, and the contents of the preview page."""

from dataclasses import dataclass, field

from sdstream.config.schema import Canvas
from sdstream.sinks.preview.info import PreviewInfo


@dataclass(frozen=True, slots=True)
class SinkContext:
    """The arguments of a sink besides the settings."""

    canvas: Canvas
    """Size and rate of every picture."""
    reopened: bool = False
    """An earlier process of this run has opened the sink, or tried to."""
    preview: PreviewInfo = field(default_factory=PreviewInfo)
    """The contents of the preview page besides the picture."""
