"""Keeps a run on air: starts and watches the stages, replaces dead or hanging processes, and ends the run in time.

The supervisor (this process) never touches a picture. Read this file second, after `wiring.py`.
"""

import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

from sdstream.config.schema import Config
from sdstream.errors import Unavailable
from sdstream.ipc.lifeline import FOR_THE_SUPERVISOR
from sdstream.log import LogChoice, get_logger
from sdstream.sources.context import State
from sdstream.supervisor import collect
from sdstream.supervisor.changeover import Changeover
from sdstream.supervisor.control_port import ControlPort
from sdstream.supervisor.failure import Failure
from sdstream.supervisor.report import Report
from sdstream.supervisor.requirements import require
from sdstream.supervisor.restart_policy import Action, Facts, Role, decide
from sdstream.supervisor.stage import Stage
from sdstream.supervisor.wiring import Wiring

STOP_WITHIN = 2.0
"""Seconds for the stages to drain and close after the first Ctrl-C; then the supervisor kills the rest."""
_POLL_INTERVAL = 0.1
_LOUD_AT = (5, 10, *range(20, 10_000, 20))
"""Failures in a row of a sink after which the log has an error: a warning each is soon overlooked."""
_GIVEN = 10.0
"""Seconds for a sink to open, before the report counts the sink as never reached. A failed try counts at once."""


class Pipeline:
    """A run; `run` may be called once."""

    def __init__(self, config: Config, logs: LogChoice | None = None) -> None:
        """Build the run. Raises Unavailable, Forbidden or ConfigError without a library or a port."""
        require(config)
        self._began = time.monotonic()
        self._wiring = Wiring(config, logs or LogChoice(), self._began)
        self.desk = self._wiring.desk
        """Changes the controls while on air."""
        ports = self._wiring.control_ports
        self._control = ControlPort(ports, self._wiring) if ports else None
        self._changeover = Changeover(self._wiring)
        self._ended: float | None = None
        self._stopping = threading.Event()
        self._tries: dict[str, int] = {}
        self._proven: set[str] = set()
        self._aired: float | None = None
        self._exit_code, self._reason = 0, ""

    def stop(self) -> None:
        """Ask the run to end; safe from a signal handler and from another thread."""
        self._stopping.set()

    def change(self, config: Config) -> None:
        """Carry out a changed, checked configuration: only the stages that must change start anew.

        Returns at once; any thread may call. Changes of canvas, air and control server wait for the next start.
        """
        self._changeover.ask(config)

    def run(
        self,
        seconds: float | None = None,
        each_second: Callable[["Pipeline"], None] | None = None,
        each_turn: Callable[[], None] | None = None,
    ) -> Report:
        """Run until `seconds` are over, a signal comes, `stop` is called, or a stage cannot go on.

        `each_second` is called about once a second, `each_turn` about ten times a second. Failures on air raise
        nothing: see `Report.reason`.
        """
        with self._capture_signals():
            try:
                self._startup()
                self._watch(seconds, each_second, each_turn)
                self._judge_sinks()
            finally:
                self._shutdown()
        return self.report()

    def report(self) -> Report:
        """Return the numbers so far; the time for closing the stages is not part of the run."""
        until = time.monotonic() if self._ended is None else self._ended
        report = collect.take(self._wiring, until - self._began, self._exit_code, self._reason)
        return replace(report, aired=self.aired)

    @property
    def aired(self) -> float:
        """Seconds since the engine was loaded, and each sink had opened or failed to open; 0 before."""
        until = time.monotonic() if self._ended is None else self._ended
        return 0.0 if self._aired is None else until - self._aired

    def pids(self) -> dict[str, int]:
        """Return the process id of each stage with a process, by stage name."""
        return {stage.name: pid for stage in self._wiring.stages if (pid := stage.pid) is not None}

    def _startup(self) -> None:
        for stage in self._wiring.stages:
            self._act_on(stage, stage.try_to_start(time.monotonic()))

    def _watch(
        self,
        seconds: float | None,
        each_second: Callable[["Pipeline"], None] | None,
        each_turn: Callable[[], None] | None,
    ) -> None:
        until = float("inf") if seconds is None else self._began + seconds
        next_call = self._began + 1.0
        while not self._stopping.is_set() and not self._reason:
            now = time.monotonic()
            if now >= until:
                return
            self._on_tick(now)
            if each_turn is not None:
                each_turn()
            if each_second is not None and now >= next_call:
                each_second(self)
                next_call = now + 1.0
            self._wait(min(_POLL_INTERVAL, max(0.0, until - now)))

    def _wait(self, seconds: float) -> None:
        """Wait for the end of a process, or answer requests: a panic must not wait for the next turn."""
        stages = [*self._wiring.stages, *self._changeover.stages]
        sentinels: list[Any] = [stage.sentinel for stage in stages if stage.sentinel is not None]
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            ready: list[Any] = multiprocessing.connection.wait(
                sentinels + ([self._control] if self._control else []), left
            )
            if self._control not in ready or self._control is None:
                return
            self._control.serve()

    def _judge_sinks(self) -> None:
        """End with `Unavailable`'s status if a required sink was never reached, unless the run ends for a reason."""
        if self._reason:
            return
        report = self.report()
        for parts, sink in zip(self._wiring.sinks, report.sinks, strict=True):
            tried = parts.stage.problem or report.seconds >= _GIVEN
            if tried and not sink.reached and not parts.settings.optional:
                why = parts.stage.problem or "no answer came"
                self._exit_code, self._reason = Unavailable.exit_code, f"sink {sink.name} was never reached: {why}"
                return

    def _on_tick(self, now: float) -> None:
        for stage in self._wiring.stages:
            if stage.ready:
                self._proven.add(stage.name)
            self._act_on(stage, stage.poll(now))
        self._changeover.tick(now)
        if self._aired is None and self._has_started():
            self._aired = now
        if self._control is not None:
            self._control.publish(now, self.report)

    def _has_started(self) -> bool:
        """Tell whether the engine is loaded, and no sink is still busy with the first opening."""
        tried = self._proven | self._tries.keys()
        return self._wiring.engine.name in self._proven and all(sink.stage.name in tried for sink in self._wiring.sinks)

    def _act_on(self, stage: Stage, failure: Failure | None) -> None:
        """Carry out the restart policy's decision about a failure; without an action, the stage restarts."""
        if failure is None:
            return
        facts = {"stage": failure.stage, "how": failure.ending.value, "reason": failure.message}
        log = get_logger()
        log.warning("stage ended", **facts)
        if stage is self._wiring.source:
            stage.context.counters.set("state", State.LOST)  # the dead process cannot set the state
        decision = decide(self._facts(stage, failure))
        self._tries[stage.name] = decision.tries
        if decision.action is Action.LEAVE_OUT:
            log.error("optional sink left out", **facts)
            self._wiring.leave_out(stage)
        elif decision.action is Action.RESTART and stage.failures in _LOUD_AT and self._is_sink(stage):
            log.error("sink is still not open", stage=stage.name, tries=stage.failures, reason=failure.message)
        elif decision.action is Action.END:
            self._exit_code, self._reason = decision.exit_code, decision.reason

    def _is_sink(self, stage: Stage) -> bool:
        return any(sink.stage is stage for sink in self._wiring.sinks)

    def _facts(self, stage: Stage, failure: Failure) -> Facts:
        wiring = self._wiring
        roles = {
            wiring.source: Role.SOURCE,
            wiring.engine: Role.ENGINE,
            wiring.rtmp_server: Role.RTMP_SERVER,
            wiring.control: Role.CONTROL,
        }
        return Facts(
            failure,
            roles.get(stage, Role.SINK),
            proven=stage.name in self._proven,
            tries=self._tries.get(stage.name, 0),
            optional=any(sink.stage is stage and sink.settings.optional for sink in wiring.sinks),
            other_sinks=sum(sink.stage is not stage for sink in wiring.sinks),
        )

    def _shutdown(self) -> None:
        """Ask every stage to end, and kill the stages still running after `STOP_WITHIN`."""
        self._ended = time.monotonic()
        deadline = self._ended + STOP_WITHIN
        stages = [*self._wiring.stages, *self._changeover.stages]
        for stage in stages:
            stage.stop()
        for stage in reversed(stages):
            if problem := stage.join(deadline):
                get_logger().warning("stage did not end well", stage=stage.name, reason=problem)
        self._wiring.close()

    @contextmanager
    def _capture_signals(self) -> Iterator[None]:
        """Answer Ctrl-C, SIGTERM and hang-up inside this block; only the main thread can set handlers."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # nohup ignores SIGHUP: an ignored signal stays ignored
        handled = [number for number in FOR_THE_SUPERVISOR if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._handle_signal) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's own signature
        """Drain at the first signal, leave at once at the second; a hang-up ends nothing, for a terminal may close."""
        if number not in (signal.SIGINT, signal.SIGTERM):
            get_logger().warning("terminal closed, the show goes on", end=f"kill {os.getpid()}")
            return
        if self._stopping.is_set():
            os._exit(128 + number)  # the lifelines end the stages; a `join` may be in progress here
        self.stop()
