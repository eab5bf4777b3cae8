"""Which class serves which settings; each kind's libraries are loaded only when it is used."""

from sdstream.config.sources import (
    AnySource,
    FfmpegSourceSettings,
    NdiSourceSettings,
    TestsrcSourceSettings,
)
from sdstream.sources import Source
from sdstream.sources.context import Feed
from sdstream.sources.rtmp_server.address import GateAddress


def make_source(settings: AnySource, feed: Feed, gate: GateAddress | None = None) -> Source:
    """Return the source that `settings` describe, not yet open."""
    if isinstance(settings, TestsrcSourceSettings):
        from sdstream.sources.testsrc import TestSource

        return TestSource(settings, feed)
    if isinstance(settings, FfmpegSourceSettings):
        from sdstream.sources.ffmpeg import FfmpegSource, Input

        return FfmpegSource(Input.of(settings), feed)
    if isinstance(settings, NdiSourceSettings):
        from sdstream.sources.ndi import NdiSource

        return NdiSource(settings, feed)
    from sdstream.sources.rtmp import make_rtmp_source

    return make_rtmp_source(settings, feed, gate)
