"""Opens the sink that a setting asks for; each kind's libraries load only when it is used."""

from sdstream.config.schema import Canvas
from sdstream.config.sinks import (
    AnySink,
    DiscardSinkSettings,
    FfmpegSinkSettings,
    NdiSinkSettings,
    VirtualcamSinkSettings,
)
from sdstream.sinks import Sink


def open_sink(settings: AnySink, canvas: Canvas) -> Sink:
    """Return the sink for `settings`, not yet entered: `with open_sink(…) as sink`."""
    match settings:
        case VirtualcamSinkSettings():
            from sdstream.sinks.virtualcam import VirtualcamSink

            return VirtualcamSink(settings, canvas)
        case NdiSinkSettings():
            from sdstream.sinks.ndi import NdiSink

            return NdiSink(settings, canvas)
        case FfmpegSinkSettings():
            from sdstream.sinks.ffmpeg import FfmpegSink

            return FfmpegSink(settings, canvas)
        case DiscardSinkSettings():
            from sdstream.sinks.discard import DiscardSink

            return DiscardSink()
