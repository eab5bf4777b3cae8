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


def open_sink(settings: AnySink, canvas: Canvas, *, again: bool = False) -> Sink:
    """Return the sink for `settings`, not yet entered: `with open_sink(…) as sink`.

    `again`: this run has opened it before, or tried to, from a process that is gone.
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
        case DiscardSinkSettings():
            from sdstream.sinks.discard import DiscardSink

            return DiscardSink()
