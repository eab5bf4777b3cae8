"""The loop of a sink's process: clock, ladder, sound, send. No event outside the sink stops the loop."""

import time
from dataclasses import dataclass
from typing import Protocol

import cv2

from sdstream.air.fallback_ladder import Choice, Ladder, Rung
from sdstream.air.pacer import Pacer, Tick, samples_in
from sdstream.air.phase import PhaseLock
from sdstream.air.slate import make_slate
from sdstream.config.schema import Air, Canvas
from sdstream.config.sinks import AnySink
from sdstream.controls.sound import Sound as SoundControls
from sdstream.frame import SAMPLE_RATE, Samples
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Counters, Histogram
from sdstream.ipc.live_controls import LiveControls
from sdstream.ipc.loading import LOADED, loading
from sdstream.ipc.mailbox import MailboxReader
from sdstream.log import get_logger
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.preview.info import PreviewInfo
from sdstream.sinks.registry import FACTS, open_sink

COUNTERS = (
    *("opened", "first", "last", "sent", "late", "dropped", "rung", "audio_offset"),
    *(rung.value for rung in Rung),
    *FACTS,
)
"""`opened`: how often a process began to open this sink. `first` and `last`: numbers of the first and the last due
picture; the pictures between count as due even if a process was away meanwhile. `dropped`: live pictures replaced by a
newer picture before the tick. `audio_offset`: seconds by which sound leaves ahead of the picture."""


class Sound(Protocol):
    """The source's sound, delayed and mixed (see `audio.mixer`)."""

    @property
    def offset(self) -> float:
        """Seconds by which the last sound sent is ahead of the picture."""
        ...

    def block(self, now: float, delay: float | None, count: int, sound: SoundControls) -> Samples:
        """Return (count, 2) samples for a picture shown at `now`, with pts `now - delay` (None: shown before)."""
        ...


@dataclass(frozen=True)
class SinkPorts:
    """A sink's connections to the rest of the run."""

    live: MailboxReader
    camera: MailboxReader
    sound: Sound
    latency: Histogram
    """From capture to send, of each live picture."""
    epoch: float
    """Start of the run (monotonic seconds): the clocks of all sinks count from the epoch."""
    controls: LiveControls
    """For the override `air`, the sound, and the preview page."""
    engine: Counters | None = None
    """The engine's counters, for the preview page; None: the engine is loaded."""
    restyles: bool = True
    """Whether the engine changes the picture."""
    looks: tuple[str, ...] = ()
    """Names of the looks that the model knows, for the preview page; empty for a model that may know any word."""


def run_sink(context: Context, settings: AnySink, canvas: Canvas, air: Air, ports: SinkPorts) -> None:
    """Send one picture for each tick of the canvas rate, for as long as the stage runs."""
    cv2.setNumThreads(1)  # a fade is a millisecond of work; a pool of threads would cost the engine its cores
    ladder = Ladder(make_slate(canvas.width, canvas.height, air.slate), air.hold, air.fade)
    dropped = context.counters.get("dropped")  # by earlier processes of this sink
    context.counters.add("opened")  # before `open_sink`: the sink may leave a file behind even if opening fails
    info = PreviewInfo(
        lambda: ladder.camera,
        lambda: ladder.showing.value,
        ports.controls.get,
        lambda: LOADED if ports.engine is None else loading(ports.engine),
        ports.restyles,
        ports.looks,
    )
    given = SinkContext(canvas, reopened=context.counters.get("opened") > 1, preview=info)
    with open_sink(settings, given) as sink:
        get_logger().info("sink opened", kind=settings.kind)
        clock = _Clock(context, canvas, ports.epoch)
        context.ready()
        while context.running:
            now, index, count = clock.wait()
            controls = ports.controls.get()
            choice = ladder.pick(now, ports.live.take(), ports.camera.take(), controls.air)
            # only a fresh picture has a delay: a held picture grows old on purpose
            delay = now - choice.frame.pts if choice.fresh else None
            sound = ports.sound.block(now, delay, count, controls.sound)
            sink.send(choice.frame, sound, Due(index, ports.sound.offset))
            clock.sent(choice)
            if choice.rung is Rung.LIVE:
                ports.latency.record(time.monotonic() - choice.frame.captured)
            context.counters.set("dropped", dropped + ports.live.dropped)
            context.counters.set("audio_offset", ports.sound.offset)
            for fact, value in sink.facts().items():
                context.counters.set(fact, value)


class _Clock:
    """Waits for each due picture, and counts; nothing else in a sink's process sleeps."""

    def __init__(self, context: Context, canvas: Canvas, epoch: float) -> None:
        self._counters = context.counters
        self._rate = canvas.rate
        self._pacer = Pacer(canvas.rate, epoch, time.monotonic())
        self._phase = PhaseLock(canvas.rate, epoch)
        self._slack = 0.5 / canvas.fps
        self._tick = Tick(0, 0.0, 0)

    def wait(self) -> tuple[float, int, int]:
        """Sleep until the next picture is due; return the time, the picture's index and the number of samples."""
        tick = self._tick = self._pacer.next(time.monotonic(), self._phase.next())
        pause = tick.at - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        if not self._counters.get("first"):
            self._counters.set("first", tick.index + 1)  # counted from 1: 0 is "nothing yet"
        self._counters.set("last", tick.index + 1)
        return time.monotonic(), tick.index, samples_in(tick.index, self._rate, SAMPLE_RATE)

    def sent(self, choice: Choice) -> None:
        """Count a sent picture; a fresh picture also teaches the phase lock the time of arrival."""
        if choice.fresh:
            self._phase.on_picture(choice.frame.seq, choice.frame.posted)
        self._counters.add("sent")
        self._counters.add(choice.rung.value)
        self._counters.set("rung", list(Rung).index(choice.rung))
        if time.monotonic() - self._tick.at > self._slack:
            self._counters.add("late")
