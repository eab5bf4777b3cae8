"""The loop of the engine's process: newest camera frame in, finished frame out, with the controls in force."""

import math
import time
from dataclasses import dataclass

import cv2

from sdstream.config.engine import AnyEngine
from sdstream.config.schema import Canvas
from sdstream.config.stabilise import StabiliseSettings
from sdstream.engine import Outcome
from sdstream.engine.registry import open_engine
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Counters, Histogram
from sdstream.ipc.live_controls import LiveControls
from sdstream.ipc.live_text import LiveText
from sdstream.ipc.loading import COUNTERS as LOADING
from sdstream.ipc.loading import Phase, tell_loading
from sdstream.ipc.mailbox import MailboxReader, MailboxWriter
from sdstream.ipc.progress import heard_by
from sdstream.ipc.turn import Turn
from sdstream.log import get_logger
from sdstream.stages.finisher import Finisher
from sdstream.stages.on_air import OnAirText
from sdstream.system.user_folders import cache_folder

_STALE = 1.0
"""Age in seconds of the oldest camera picture that an engine just loaded still takes. An older picture may be of a
source gone meanwhile, and would flash up as live."""

_WAIT = 0.005
"""Seconds between two looks of a successor at whether the turn has come."""

_AWAY = 3.0
"""Seconds without a camera frame after which the source counts as away, not slow: the engine's rate leaves the pause
out."""

SUMS = ("frames", *(outcome.value for outcome in Outcome), "dropped", "first_at", "steps", "working")
"""The counters that a successor goes on with."""

COUNTERS = (
    *(*SUMS, "flicker"),
    *LOADING,
)
"""`frames`: camera frames taken; then the same frames by outcome. `dropped`: camera frames replaced by a newer frame
before the engine was free. `first_at`: monotonic seconds of the first new picture. `steps` and `working`: number and
sum (seconds) of the intervals between new pictures. `flicker`: see `finisher.Finished`."""


@dataclass(frozen=True)
class EnginePorts:
    """The engine's connections to the rest of the run."""

    camera: MailboxReader
    output: MailboxWriter
    controls: LiveControls
    stabilise: StabiliseSettings
    latency: Histogram
    """From the arrival of the camera frame that enters the engine to the departure of the picture due in that call."""
    on_air: LiveText
    """For the prompt of the newest picture (see `stages.on_air`)."""
    turn: Turn
    """Whether this engine works already; a successor waits until the engine before has ended."""
    number: int
    """Number of this engine, for `turn`."""


def run_engine(context: Context, settings: AnyEngine, canvas: Canvas, ports: EnginePorts) -> None:
    """Restyle the newest camera frame, again and again, for as long as the stage runs."""
    cv2.setNumThreads(1)  # scaling is a millisecond of work; a pool of threads would take the model's cores
    dropped = 0
    on_air = OnAirText(ports.on_air)
    tell_loading(context.counters, Phase.LIBRARIES)
    heard = heard_by(lambda *now: tell_loading(context.counters, *now))
    opened = open_engine(settings, (canvas.width, canvas.height), cache_folder())  # first: names a missing extra
    with heard, Finisher(canvas, settings, ports.stabilise) as finisher, opened as engine:
        get_logger().info("engine loaded", kind=settings.kind)
        context.ready()
        oldest, rate = time.monotonic() - _STALE, _Rate(context.counters)
        while context.running:
            if not ports.turn.is_of(ports.number):
                time.sleep(_WAIT)
                continue
            frame = ports.camera.take(0.2)
            if frame is None or frame.posted < oldest:
                continue
            missed, dropped = ports.camera.dropped - dropped, ports.camera.dropped
            controls = ports.controls.get()
            on_air.entered(controls, ports.controls.version)
            restyled = engine(frame, controls)
            if restyled is not None:
                finished = finisher.finish(restyled, late=missed > 0)
                ports.output.put(finished.frame)
                ports.latency.record(time.monotonic() - frame.posted)
                context.counters.set("flicker", finished.flicker)
                on_air.show(restyled, time.monotonic())
            outcome = Outcome.FILLING if restyled is None else restyled.outcome
            _count(context.counters, outcome, missed)
            rate.frame(frame.posted, missed, rendered=outcome is Outcome.RENDERED)


def _count(counters: Counters, outcome: Outcome, dropped: int) -> None:
    counters.add("frames")
    counters.add(outcome.value)
    counters.add("dropped", dropped)


class _Rate:
    """Counts new pictures and the seconds between new pictures, without the pauses of the source."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._arrived = -math.inf  # time of the last frame
        self._shown = -math.inf  # time of the last new picture; -inf after a pause of the source

    def frame(self, arrived: float, missed: int, *, rendered: bool) -> None:
        """Note a frame finished now; the frame `arrived` (monotonic seconds) after `missed` dropped frames."""
        if not missed and arrived - self._arrived > _AWAY:
            self._shown = -math.inf
        self._arrived = arrived
        if not rendered:
            return
        now = time.monotonic()
        if not self._counters.get("first_at"):
            self._counters.set("first_at", now)
        if self._shown > -math.inf:
            self._counters.add("steps")
            self._counters.add("working", now - self._shown)
        self._shown = now
