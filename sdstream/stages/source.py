"""The loop of the source's process: opens the source, passes pictures on, and opens the source again after a loss."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sdstream.audio.ring import AudioRing
from sdstream.config.schema import Canvas
from sdstream.config.sources import AnySource
from sdstream.errors import Lost, Unavailable
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Counters, Histogram
from sdstream.ipc.live_controls import LiveControls
from sdstream.ipc.mailbox import MailboxWriter
from sdstream.log import get_logger
from sdstream.sources import Source
from sdstream.sources.context import COUNTERS, DROPS, STATES, Ended, SourceContext, State
from sdstream.sources.registry import open_source
from sdstream.sources.rtmp_server.address import RtmpServerAddress

__all__ = ["COUNTERS", "DROPS", "REOPEN_DELAYS", "STATES", "SourcePorts", "State", "run_source"]

REOPEN_DELAYS = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the next opening, after 0, 1, 2, … openings in a row without a picture. Not the supervisor's
`RESTART_DELAYS`: the process stays, so only this delay keeps the process from asking a server without pause."""
_STEP = 0.1


@dataclass(frozen=True)
class SourcePorts:
    """The source's connections to the rest of the run."""

    output: MailboxWriter
    """Takes the pictures."""
    ring: AudioRing
    """Takes the sound."""
    latency: Histogram
    """Takes the seconds from receipt until the picture is in the mailbox."""
    rtmp_server: RtmpServerAddress | None = None
    """Where publications come from, for an RTMP source that listens."""
    controls: LiveControls | None = None
    """For the choice of the audio track; None: the default track."""


def run_source(context: Context, settings: AnySource, canvas: Canvas, ports: SourcePorts) -> None:
    """Deliver pictures until the stage is stopped. Raises Unavailable or Forbidden if no picture can ever come."""
    state = SourceState(context.counters, settings.stall)
    given = SourceContext(
        canvas=canvas,
        counters=context.counters,
        ring=ports.ring if settings.audio else None,
        check_running=_check_running(context, state),
        sound_track=lambda: ports.controls.get().sound.track if ports.controls else None,
        rtmp_server=ports.rtmp_server,
    )
    failures = 0
    while context.running:
        shown = state.pictures
        try:
            with open_source(settings, given) as source:
                context.ready()
                _deliver(context, source, ports, state)
        except Lost as loss:
            if not context.running:
                return
            state.lost(str(loss))
        except Unavailable as missing:
            if not state.pictures:
                raise
            state.lost(str(missing))  # pictures came before, so the source may come back
        except Ended:
            state.ended()
            _pause(context, float("inf"))
        failures = 0 if state.pictures > shown else failures + 1
        patience = 0.0 if ports.rtmp_server and not failures else REOPEN_DELAYS[min(failures, len(REOPEN_DELAYS) - 1)]
        _pause(context, patience)
        if context.running:
            context.counters.add("reopens")


def _deliver(context: Context, source: Source, ports: SourcePorts, state: "SourceState") -> None:
    while context.running:
        frame = source.read()
        if frame is None:
            state.nothing(time.monotonic())
            continue
        state.picture(time.monotonic(), source)
        ports.output.put(replace(frame, seq=state.pictures))
        ports.latency.record(time.monotonic() - frame.captured)


def _pause(context: Context, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while context.running and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(left, _STEP))


def _check_running(context: Context, state: "SourceState") -> Callable[[], None]:
    def check() -> None:
        state.nothing(time.monotonic())
        if not context.running:
            raise Lost("the source is being stopped")

    return check


class SourceState:
    """Keeps the state, the rate and the counts of a source, and logs each change of state."""

    def __init__(self, counters: Counters, stall: float) -> None:
        self._counters = counters
        self._stall = stall
        self._state = State.WAITING
        self._last = time.monotonic()
        self._second_began, self._in_second = self._last, 0
        self.pictures = counters.count("frames")  # a new process continues the count of the old process
        self._enter(State.WAITING)

    def picture(self, now: float, source: Source) -> None:
        """Note a picture."""
        self.pictures += 1
        self._counters.add("frames")
        self._last = now
        self._in_second += 1
        if now - self._second_began >= 1:
            self._counters.set("fps", self._in_second / (now - self._second_began))
            self._second_began, self._in_second = now, 0
        if self._state is not State.LIVE:
            self._enter(State.LIVE)
            get_logger().info("source is live", **source.facts())

    def nothing(self, now: float) -> None:
        """Note that no picture has come; the source stalls after `stall` seconds without a picture."""
        if self._state is State.LIVE and now - self._last > self._stall:
            self._enter(State.STALLED)
            self._counters.add("stalls")
            get_logger().warning("source has stalled", seconds=round(now - self._last, 1))

    def lost(self, reason: str) -> None:
        """Note that the source went away, or is not there yet."""
        was_shown = self._state in {State.LIVE, State.STALLED}
        if self._state is not State.LOST:
            get_logger().warning("source lost" if was_shown else "source is not there yet", reason=reason)
        self._enter(State.LOST)

    def ended(self) -> None:
        """Note the end of the recording."""
        self._enter(State.ENDED)
        get_logger().info("source has ended")

    def _enter(self, state: State) -> None:
        self._state = state
        self._counters.set("state", state)
        if state is not State.LIVE:
            self._counters.set("fps", 0)
            self._second_began, self._in_second = time.monotonic(), 0
