"""The body of a sink's process: clock, ladder, sound, send. Nothing that happens elsewhere makes it stop."""

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
from sdstream.frame import SAMPLE_RATE, Samples
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Histogram
from sdstream.ipc.live_controls import LiveControls
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
"""`opened`: how often a process of this sink began to open it. `first` and `last`: numbers of the first and the last
due picture, so that a process that was away still owes what fell due meanwhile. `dropped`: live pictures that a newer
one replaced before their tick. `audio_offset`: seconds that the sound is ahead of the picture that it leaves with."""


class Sound(Protocol):
    """The source's sound, delayed (see `audio.delay`)."""

    offset: float

    def block(self, now: float, delay: float | None, count: int) -> Samples:
        """Return (count, 2) samples for a picture shown at `now` whose pts is `now - delay` (None: no news)."""
        ...


@dataclass(frozen=True)
class SinkPorts:
    """What a sink's process is wired to."""

    live: MailboxReader
    camera: MailboxReader
    sound: Sound
    latency: Histogram
    """From capture to send, of each live picture."""
    epoch: float
    """Start of the run: all sinks' clocks count from it."""
    controls: LiveControls
    """For the override `air`, and for sinks that tell what was asked for."""


def run_sink(context: Context, settings: AnySink, canvas: Canvas, air: Air, ports: SinkPorts) -> None:
    """Send one picture for each tick of the canvas rate, for as long as the stage runs."""
    cv2.setNumThreads(1)  # a fade is a millisecond of work; a pool of threads would cost the engine its cores
    ladder = Ladder(make_slate(canvas.width, canvas.height, air.slate), air.hold, air.fade)
    dropped = context.counters.get("dropped")  # by the process that this one replaces
    context.counters.add("opened")  # beforehand: from here on, what is found there may be our own
    info = PreviewInfo(lambda: ladder.camera, lambda: ladder.showing.value, ports.controls.get)
    given = SinkContext(canvas, reopened=context.counters.get("opened") > 1, preview=info)
    with open_sink(settings, given) as sink:
        get_logger().info("sink opened", kind=settings.kind)
        clock = _Clock(context, canvas, ports.epoch)
        context.ready()
        while context.running:
            now, index, count = clock.wait()
            choice = ladder.pick(now, ports.live.take(), ports.camera.take(), ports.controls.get().air)
            sound = _sound_for(now, choice, count, ports.sound)
            sink.send(choice.frame, sound, Due(index, ports.sound.offset))
            clock.sent(choice)
            if choice.rung is Rung.LIVE:
                ports.latency.record(time.monotonic() - choice.frame.captured)
            context.counters.set("dropped", dropped + ports.live.dropped)
            context.counters.set("audio_offset", ports.sound.offset)
            for fact, value in sink.facts().items():
                context.counters.set(fact, value)


def _sound_for(now: float, choice: Choice, count: int, sound: Sound) -> Samples:
    """Return the sound of one tick. Only a picture that was not shown before tells how late the picture is."""
    return sound.block(now, now - choice.frame.pts if choice.fresh else None, count)


class _Clock:
    """Waits for each due picture and keeps the books; the one place of a sink's process that sleeps."""

    def __init__(self, context: Context, canvas: Canvas, epoch: float) -> None:
        self._counters = context.counters
        self._rate = canvas.rate
        self._pacer = Pacer(canvas.rate, epoch, time.monotonic())
        self._phase = PhaseLock(canvas.rate, epoch)
        self._slack = 0.5 / canvas.fps
        self._tick = Tick(0, 0.0, 0)

    def wait(self) -> tuple[float, int, int]:
        """Sleep until the next picture is due; return the time then, its number, and its sound samples' count."""
        tick = self._tick = self._pacer.next(time.monotonic(), self._phase.next())
        pause = tick.at - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        if not self._counters.get("first"):
            self._counters.set("first", tick.index + 1)  # counted from 1: 0 is "nothing yet"
        self._counters.set("last", tick.index + 1)
        return time.monotonic(), tick.index, samples_in(tick.index, self._rate, SAMPLE_RATE)

    def sent(self, choice: Choice) -> None:
        """Count a picture that has left, and learn when such pictures arrive."""
        if choice.fresh:
            self._phase.on_picture(choice.frame.seq, choice.frame.posted)
        self._counters.add("sent")
        self._counters.add(choice.rung.value)
        self._counters.set("rung", list(Rung).index(choice.rung))
        if time.monotonic() - self._tick.at > self._slack:
            self._counters.add("late")
