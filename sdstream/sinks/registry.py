"""The table of sinks: what serves each kind's settings, what finds it, and what `doctor` asks about it."""

from dataclasses import dataclass

from sdstream.config.sinks import (
    AnySink,
    DiscardSinkSettings,
    FfmpegSinkSettings,
    NdiSinkSettings,
    PreviewSinkSettings,
    VirtualcamSinkSettings,
)
from sdstream.sinks import STAMPED_EARLY, Sink
from sdstream.sinks.context import SinkContext
from sdstream.system.kinds import Kind, kind_of


@dataclass(frozen=True, slots=True)
class SinkKind(Kind):
    """One kind of sink."""

    facts: tuple[str, ...] = ()
    """Names that its `facts` returns, for the report."""
    early_samples: int = 0
    """How many samples before its picture it stamps the sound that it is given with the picture. Receivers of NDI may
    play both as they come: there sound leaves as early as it can, with its lag in its timecode."""


KINDS = (
    SinkKind(
        VirtualcamSinkSettings,
        opener="sdstream.sinks.virtualcam:VirtualcamSink",
        extra="virtualcam",
        listing="sdstream.sinks.cameras:listing",
        checks=("sdstream.sinks.cameras:check",),
    ),
    SinkKind(
        NdiSinkSettings,
        opener="sdstream.sinks.ndi:NdiSink",
        extra="ndi",
        listing="sdstream.sinks.ndi:listing",
        checks=("sdstream.system.ndi_runtime:check",),
        facts=("connections", "on_program", "on_preview"),
    ),
    SinkKind(
        FfmpegSinkSettings,
        opener="sdstream.sinks.ffmpeg:FfmpegSink",
        listing="sdstream.sinks.encoders:listing",
        checks=("sdstream.system.av_library:check",),
        early_samples=STAMPED_EARLY,
    ),
    SinkKind(
        PreviewSinkSettings,
        opener="sdstream.sinks.preview.sink:PreviewSink",
        listing="sdstream.sinks.preview.sink:listing",
        facts=("connections", "port"),
    ),
    SinkKind(
        DiscardSinkSettings,
        opener="sdstream.sinks.discard:DiscardSink",
        listing="sdstream.sinks.discard:listing",
    ),
)
"""One row a kind."""

FACTS = tuple(dict.fromkeys(fact for kind in KINDS for fact in kind.facts))
"""Names of all facts that sinks tell."""


def open_sink(settings: AnySink, context: SinkContext) -> Sink:
    """Return the sink for `settings`, not yet entered: `with open_sink(…) as sink`."""
    sink: Sink = kind_of(settings, KINDS).load()(settings, context)
    return sink


def early_samples(settings: AnySink) -> int:
    """Return how many samples before its picture a sink of these settings stamps its sound."""
    return kind_of(settings, KINDS).early_samples
