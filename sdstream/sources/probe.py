"""Opens a source for some seconds and measures: size, rate, jitter, colour, codec, sound."""

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator

from sdstream.audio.ring import AudioRing
from sdstream.config.schema import Canvas
from sdstream.config.sources import AnySource
from sdstream.errors import Lost
from sdstream.frame import SAMPLE_RATE, Frame
from sdstream.ipc.context import Context, stage_counters
from sdstream.sources import Source
from sdstream.sources.context import COUNTERS, DROPS, Ended, SourceContext
from sdstream.sources.registry import open_source
from sdstream.sources.rtmp_server import RtmpServerAddress, open_rtmp_server, run_rtmp_server

Fact = str | int | float | None


def probe(settings: AnySource, seconds: float) -> dict[str, Fact]:
    """Return facts about the source, measured for `seconds` from the first picture (or in all, if no picture comes).

    `rate` is pictures a second by presentation times, `jitter` the standard deviation of arrival minus presentation
    time (seconds), `open` the seconds until the first picture. Raises Unavailable, Forbidden, or Lost if the source
    cannot be opened, or shows no picture.
    """
    context = Context("probe", stage_counters(COUNTERS))
    ring = AudioRing()
    began = time.monotonic()
    with contextlib.ExitStack() as resources:
        server = resources.enter_context(_rtmp_server(settings))
        given = SourceContext(Canvas(), context.counters, ring, lambda: None, server)
        source = resources.enter_context(open_source(settings, given))
        frames = _frames(source, began, seconds)
        known = source.facts()
    if not frames:
        raise Lost(f"no picture came within {seconds:g} s")
    first, end = ring.span()
    counts = {name: context.counters.count(name) for name in (*DROPS, "corrupt_sounds")}
    return {
        **known,
        "open": frames[0].captured - began,
        **_timing(frames),
        "sound_seconds": (end - first) / SAMPLE_RATE,
        **counts,
    }


def _frames(source: Source, began: float, seconds: float) -> list[Frame]:
    """Return the pictures until `seconds` after the first picture; none if no picture comes `seconds` after `began`."""
    frames: list[Frame] = []
    deadline = began + seconds
    while time.monotonic() < deadline:
        try:
            frame = source.read()
        except Ended:
            break
        if frame is None:
            continue
        if not frames:
            deadline = time.monotonic() + seconds
        frames.append(frame)
    return frames


def _timing(frames: list[Frame]) -> dict[str, Fact]:
    span = frames[-1].pts - frames[0].pts
    delays = [frame.captured - frame.pts for frame in frames]
    return {
        "frames": len(frames),
        "rate": (len(frames) - 1) / span if span > 0 else None,
        "jitter": statistics.pstdev(delays) if len(delays) > 1 else None,
    }


@contextlib.contextmanager
def _rtmp_server(settings: AnySource) -> Iterator[RtmpServerAddress | None]:
    """Run the RTMP server in a thread if `settings` listen; yield the private address, or None."""
    server = open_rtmp_server(settings)
    if server is None:
        yield None
        return
    context = Context.alone()
    thread = threading.Thread(target=run_rtmp_server, args=(context, *server.arguments), name="rtmp_server")
    thread.start()
    try:
        yield server.address
    finally:
        context.stop()
        thread.join()
        server.close()
