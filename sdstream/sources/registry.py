"""The table of sources: for each kind the opener, the listing for `sdstream sources`, and the checks of `doctor`."""

from sdstream.config.sources import (
    AnySource,
    FfmpegSourceSettings,
    NdiSourceSettings,
    RtmpSourceSettings,
    SrtSourceSettings,
    TestsrcSourceSettings,
)
from sdstream.sources import Source
from sdstream.sources.context import SourceContext
from sdstream.system.kinds import Kind, kind_of

_AV = "sdstream.system.av_library:check"

KINDS = (
    Kind(
        RtmpSourceSettings,
        opener="sdstream.sources.rtmp:open_rtmp",
        checks=(_AV, "sdstream.system.port_check:rtmp"),
    ),
    Kind(
        SrtSourceSettings,
        opener="sdstream.sources.srt:SrtSource",
        checks=(_AV, "sdstream.system.ffmpeg_program:check"),
    ),
    Kind(
        NdiSourceSettings,
        opener="sdstream.sources.ndi:NdiSource",
        extra="ndi",
        listing="sdstream.sources.ndi_finder:listing",
        checks=("sdstream.system.ndi_runtime:check",),
    ),
    Kind(
        FfmpegSourceSettings,
        opener="sdstream.sources.ffmpeg:open_ffmpeg",
        listing="sdstream.sources.cameras:listing",
        checks=(_AV,),
    ),
    Kind(TestsrcSourceSettings, opener="sdstream.sources.testsrc:TestSource"),
)
"""A row for each kind."""


def open_source(settings: AnySource, context: SourceContext) -> Source:
    """Return the source for `settings`, not yet entered: `with open_source(…) as source`."""
    source: Source = kind_of(settings, KINDS).load()(settings, context)
    return source
