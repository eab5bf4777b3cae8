"""Keeps one run on air: starts its stages, watches them, replaces what dies or hangs, and ends it all in time.

The supervisor (this process) never touches a picture. It is the second file to read, after `wiring.py`.
"""

import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from sdstream.config.schema import Config
from sdstream.errors import ConfigError, Forbidden, Lost, Unavailable
from sdstream.ipc.lifeline import FOR_THE_SUPERVISOR
from sdstream.log import LogChoice, get_logger
from sdstream.sources.context import State
from sdstream.supervisor import collect
from sdstream.supervisor.report import Report
from sdstream.supervisor.stage import Ending, Failure
from sdstream.supervisor.wiring import Wiring

STOP_WITHIN = 2.0
"""Seconds that the stages have to drain and close after the first Ctrl-C; then they are killed."""
TRIES = 3
"""A stage that has never been ready may fail this often before it ends the run."""
_TURN = 0.1
_FOR_GOOD = (Unavailable.exit_code, Forbidden.exit_code, ConfigError.exit_code)


class Pipeline:
    """One run. `run` may be called once."""

    def __init__(self, config: Config, logs: LogChoice | None = None) -> None:
        """Build the run. Raises Unavailable, Forbidden or ConfigError when a port cannot be had."""
        self._began = time.monotonic()
        self._wiring = Wiring(config, logs or LogChoice(), self._began)
        self.controls = self._wiring.controls
        """What the engine follows; set it to change the show while on air."""
        self._ended: float | None = None
        self._stopping = threading.Event()
        self._failed: dict[str, int] = {}
        self._proven: set[str] = set()
        self._exit_code, self._reason = 0, ""

    def stop(self) -> None:
        """Ask the run to end; safe from a signal handler and from another thread."""
        self._stopping.set()

    def run(self, seconds: float | None = None, each_second: Callable[["Pipeline"], None] | None = None) -> Report:
        """Run until `seconds` are over, a signal comes, `stop` is called, or a stage cannot go on.

        `each_second` is called about so often. What happens on air raises nothing: see `Report.reason`.
        """
        with self._signals():
            try:
                for stage in self._wiring.stages:
                    self._judge(stage.try_to_start(time.monotonic()))
                self._watch(seconds, each_second)
            finally:
                self._shut_down()
        return self.report()

    def report(self) -> Report:
        """Return the numbers so far; what the stages take to close is not part of the run."""
        until = time.monotonic() if self._ended is None else self._ended
        return collect.take(self._wiring, until - self._began, self._exit_code, self._reason)

    def pids(self) -> dict[str, int]:
        """Return the process of each stage that has one now, by stage name."""
        return {stage.name: pid for stage in self._wiring.stages if (pid := stage.pid) is not None}

    def _watch(self, seconds: float | None, each_second: Callable[["Pipeline"], None] | None) -> None:
        until = float("inf") if seconds is None else self._began + seconds
        next_call = self._began + 1.0
        while not self._stopping.is_set() and not self._reason:
            now = time.monotonic()
            if now >= until:
                return
            self._look_after_stages(now)
            if each_second is not None and now >= next_call:
                each_second(self)
                next_call = now + 1.0
            sentinels = [stage.sentinel for stage in self._wiring.stages if stage.sentinel is not None]
            multiprocessing.connection.wait(sentinels, min(_TURN, max(0.0, until - now)))

    def _look_after_stages(self, now: float) -> None:
        for stage in self._wiring.stages:
            if stage.ready:
                self._proven.add(stage.name)
            self._judge(stage.poll(now))

    def _judge(self, failure: Failure | None) -> None:
        """Decide what a dead process means: another try, one sink less, or the end of the run."""
        if failure is None:
            return
        facts = {"stage": failure.stage, "how": failure.ending.value, "reason": failure.message}
        log = get_logger()
        log.warning("stage ended", **facts)
        if failure.stage == self._wiring.source.name:
            self._wiring.source.context.counters.set("state", State.LOST)  # it cannot say so any more
        waits = failure.exit_code == Lost.exit_code or (
            failure.ending is Ending.HANG and failure.stage != self._wiring.engine.name  # for a server that is silent
        )
        if failure.was_ready or failure.stage in self._proven or waits:
            return  # it may come back, however long that takes
        self._failed[failure.stage] = tries = self._failed.get(failure.stage, 0) + 1
        if failure.exit_code not in _FOR_GOOD and tries < TRIES:
            return
        for sink in self._wiring.sinks:
            if sink.name == failure.stage and sink.settings.optional and len(self._wiring.sinks) > 1:
                log.error("optional sink left out", **facts)
                self._wiring.sinks.remove(sink)
                return
        self._exit_code, self._reason = failure.exit_code, failure.message

    def _shut_down(self) -> None:
        """Ask every stage to end, then make it so."""
        self._ended = time.monotonic()
        deadline = self._ended + STOP_WITHIN
        for stage in self._wiring.stages:
            stage.stop()
        for stage in reversed(self._wiring.stages):
            if trouble := stage.join(deadline):
                get_logger().warning("stage did not end well", stage=stage.name, reason=trouble)
        self._wiring.close()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """First Ctrl-C, SIGTERM or hang-up drains, the second one leaves at once; only the main thread can do this."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
            if self._stopping.is_set() and number in (signal.SIGINT, signal.SIGTERM):  # shells hang up more than once
                os._exit(128 + number)  # the stages die with us; we may be in the middle of waiting for one
            self.stop()

        heard = [number for number in FOR_THE_SUPERVISOR if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
        before = {number: signal.signal(number, handle) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
