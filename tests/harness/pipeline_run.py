"""A whole run of the daemon inside a test: real processes, real sockets, and the report of every sink."""

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

from sdstream.config.schema import Config
from sdstream.supervisor.pipeline import Pipeline
from sdstream.supervisor.report import Report, SinkReport
from tests.harness.standstill_watch import StandstillWatch

KEY = "s3cret-key-of-a-test"


class PipelineRun:
    """Runs a pipeline in a thread of the test; its stages are processes of their own, as always."""

    def __init__(self, source: dict[str, Any], *sinks: dict[str, Any], **more: Any) -> None:
        canvas = {"width": 320, "height": 180, "fps": 30}
        parts = {"version": 1, "canvas": canvas, "engine": {"kind": "passthrough"}}
        self.config = Config.model_validate(
            {**parts, "source": source, "sinks": list(sinks) or [{"kind": "discard"}], **more}
        )

    def __enter__(self) -> Self:
        self._standstills = StandstillWatch().__enter__()
        self.pipeline = Pipeline(self.config)
        self.final: Report | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.pipeline.stop()
        self._thread.join(10)
        self._standstills.__exit__(*exc)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        self.final = self.pipeline.run()

    @property
    def report(self) -> Report:
        """The report so far, without what fell due while the machine stood still."""
        report, excused = self.pipeline.report(), self._standstills.excused(self.config.canvas.fps)
        sinks = tuple(replace(sink, due=max(sink.sent, sink.due - excused)) for sink in report.sinks)
        return replace(report, sinks=sinks)

    def sink(self, name: str = "discard") -> SinkReport:
        return next(sink for sink in self.report.sinks if sink.name == name)

    def wait(self, condition: Callable[[Report], bool], seconds: float = 15.0) -> Report:
        """Return the first report that fulfils `condition`; fails the test when none does in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            report = self.report
            if condition(report):
                return report
            time.sleep(0.02)
        raise AssertionError(f"it did not come about within {seconds} s: {self.report}")

    def showing(self, rung: str, sink: str = "discard", seconds: float = 15.0) -> Report:
        """Wait until a sink shows a rung of its ladder."""
        return self.wait(lambda report: any(s.showing == rung and s.name == sink for s in report.sinks), seconds)

    def signal(self, stage: str, number: int) -> None:
        os.kill(self.pipeline.pids()[stage], number)


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def share_since(before: SinkReport, after: SinkReport) -> float:
    """Return the share of the pictures due between two reports that were sent."""
    due = after.due - before.due
    return (after.sent - before.sent) / due if due else 1.0
