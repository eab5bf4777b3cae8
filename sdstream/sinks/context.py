"""What a sink is given: the canvas, whether it was open before, and what the preview shows besides the picture."""

from dataclasses import dataclass, field

from sdstream.config.schema import Canvas
from sdstream.sinks.preview.info import PreviewInfo


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What one sink is given besides its settings."""

    canvas: Canvas
    """Size and rate of every picture."""
    again: bool = False
    """This run has opened the sink before, or tried to, from a process that is gone."""
    preview: PreviewInfo = field(default_factory=PreviewInfo)
    """For the preview page, which shows more than the picture."""
