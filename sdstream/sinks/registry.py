"""Opens the sink that a setting asks for; each kind's libraries load only when it is used."""

from sdstream.config.schema import Canvas
from sdstream.config.sinks import (
    AnySink,
    DiscardSinkSettings,
    FfmpegSinkSettings,
    NdiSinkSettings,
    PreviewSinkSettings,
    VirtualcamSinkSettings,
)
from sdstream.sinks import Backstage, Sink


def open_sink(settings: AnySink, canvas: Canvas, *, again: bool = False, backstage: Backstage | None = None) -> Sink:
    """Return the sink for `settings`, not yet entered: `with open_sink(…) as sink`.

    `again`: this run has opened it before, or tried to, from a process that is gone. `backstage`: for the kinds that
    show more than the picture.
    """
    match settings:
        case VirtualcamSinkSettings():
            from sdstream.sinks.virtualcam import VirtualcamSink

            return VirtualcamSink(settings, canvas)
        case NdiSinkSettings():
            from sdstream.sinks.ndi import NdiSink

            return NdiSink(settings, canvas)
        case FfmpegSinkSettings():
            from sdstream.sinks.ffmpeg import FfmpegSink

            return FfmpegSink(settings, canvas, again=again)
        case PreviewSinkSettings():
            from sdstream.sinks.preview.sink import PreviewSink

            return PreviewSink(settings, canvas, backstage or Backstage())
        case DiscardSinkSettings():
            from sdstream.sinks.discard import DiscardSink

            return DiscardSink()
