"""Opens a source for some seconds and says what it is: size, rate, jitter, colour, codec, sound."""

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
from sdstream.sources.context import COUNTERS, DROPS, Ended, SourceContext
from sdstream.sources.registry import open_source
from sdstream.sources.rtmp_server import GateAddress, open_gate, run_gate

Fact = str | int | float | None


def probe(settings: AnySource, seconds: float) -> dict[str, Fact]:
    """Return facts about the source, measured for `seconds` from its first picture (or in all, if none comes).

    `rate` is pictures a second by their own times, `jitter` the standard deviation of their arrival against those
    times (seconds), `open` the seconds until the first picture. Raises Unavailable, Forbidden, or Lost if it cannot
    be opened, or shows no picture.
    """
    context = Context("probe", stage_counters(COUNTERS))
    ring = AudioRing()
    frames: list[Frame] = []
    began = time.monotonic()
    deadline = began + seconds
    with contextlib.ExitStack() as parts:
        gate = parts.enter_context(_gate(settings))
        given = SourceContext(Canvas(), context.counters, ring, lambda: None, gate)
        source = parts.enter_context(open_source(settings, given))
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


def _timing(frames: list[Frame]) -> dict[str, Fact]:
    span = frames[-1].pts - frames[0].pts
    delays = [frame.captured - frame.pts for frame in frames]
    return {
        "frames": len(frames),
        "rate": (len(frames) - 1) / span if span > 0 else None,
        "jitter": statistics.pstdev(delays) if len(delays) > 1 else None,
    }


@contextlib.contextmanager
def _gate(settings: AnySource) -> Iterator[GateAddress | None]:
    """Run a gate beside us where the settings need one."""
    gate = open_gate(settings)
    if gate is None:
        yield None
        return
    context = Context.alone()
    thread = threading.Thread(target=run_gate, args=(context, *gate.arguments), name="gate")
    thread.start()
    try:
        yield gate.address
    finally:
        context.stop()
        thread.join()
        gate.close()
