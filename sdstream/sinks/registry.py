"""The table of sinks: for each kind the class, the listing for `sdstream sinks`, and the checks for `doctor`."""

from dataclasses import dataclass

from sdstream.config.outputs import (
    FfmpegSinkSettings,
    FileSinkSettings,
    RtmpSinkSettings,
    SinkSettings,
    SrtSinkSettings,
    TwitchSinkSettings,
    YoutubeSinkSettings,
)
from sdstream.config.sinks import (
    AnySink,
    DiscardSinkSettings,
    NdiSinkSettings,
    PreviewSinkSettings,
    ServeSinkSettings,
    VirtualcamSinkSettings,
)
from sdstream.sinks import STAMPED_EARLY, Sink
from sdstream.sinks.context import SinkContext
from sdstream.system.kinds import Kind, kind_of


@dataclass(frozen=True, slots=True)
class SinkKind(Kind):
    """A kind of sink."""

    facts: tuple[str, ...] = ()
    """Names of the numbers from `Sink.facts`, for the report."""
    early_samples: int = 0
    """Samples subtracted from the timestamp of sound. The value is 0 for NDI: a receiver may play picture and sound on
    arrival, so NDI sends sound as early as possible, with the lag in the timecode."""


def _encoding(settings: type[SinkSettings], listing: str = "", checks: tuple[str, ...] = ()) -> SinkKind:
    return SinkKind(
        settings,
        opener="sdstream.sinks.ffmpeg:FfmpegSink",
        listing=listing,
        checks=("sdstream.system.av_library:check", *checks),
        facts=("connected", "connects", "recording"),
        early_samples=STAMPED_EARLY,
    )


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
    _encoding(FfmpegSinkSettings, listing="sdstream.sinks.encoders:listing"),
    _encoding(RtmpSinkSettings),
    _encoding(SrtSinkSettings, checks=("sdstream.system.ffmpeg_program:check",)),
    _encoding(TwitchSinkSettings),
    _encoding(YoutubeSinkSettings),
    _encoding(FileSinkSettings),
    SinkKind(
        ServeSinkSettings,
        opener="sdstream.sinks.serve.sink:ServeSink",
        listing="sdstream.sinks.serve.sink:listing",
        checks=("sdstream.system.av_library:check",),
        facts=("connections", "left_behind", "port"),
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
"""A row for each kind of sink."""

FACTS = tuple(dict.fromkeys(fact for kind in KINDS for fact in kind.facts))
"""Names of the facts of all kinds of sink."""


def open_sink(settings: AnySink, context: SinkContext) -> Sink:
    """Return the sink for `settings`, not yet entered: `with open_sink(…) as sink`."""
    sink: Sink = kind_of(settings, KINDS).load()(settings, context)
    return sink


def facts_of(settings: AnySink) -> tuple[str, ...]:
    """Return `SinkKind.facts` of a sink with these settings."""
    return kind_of(settings, KINDS).facts


def early_samples(settings: AnySink) -> int:
    """Return `SinkKind.early_samples` of a sink with these settings."""
    return kind_of(settings, KINDS).early_samples
