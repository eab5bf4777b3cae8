"""The machine's processors are taken by others, and the engine is too slow: the outputs keep their rate."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from sdstream.engine import passthrough
from sdstream.ipc.context import Context
from sdstream.stages.engine import run_engine
from sdstream.supervisor import wiring
from tests.harness.pipeline_run import PipelineRun, share_since
from tests.harness.programs import running

pytestmark = [pytest.mark.fault, pytest.mark.slow]
SECONDS = 8.0


@contextmanager
def busy(tmp_path: Any) -> Iterator[None]:
    """Take each core by a loop, as a game or an encoder does."""
    with ExitStack() as loops:
        for number in range(os.cpu_count() or 1):
            loops.enter_context(running([sys.executable, "-c", "while True: pass"], tmp_path / f"loop{number}"))
        yield


def run_slowly(context: Context, *parts: Any) -> None:
    """Run the engine with a tenth of a second of computing for each picture."""
    real = passthrough.Passthrough.__call__

    def call(self: passthrough.Passthrough, *arguments: Any) -> Any:
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass
        return real(self, *arguments)

    passthrough.Passthrough.__call__ = call
    run_engine(context, *parts)


def test_on_a_starved_machine_the_engine_gives_way_and_the_output_does_not(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring.engine, "run_engine", run_slowly)
    with PipelineRun({"kind": "testsrc"}) as show:
        show.showing("live", seconds=60)
        with busy(tmp_path):
            before, frames = show.sink(), show.report.engine.frames
            time.sleep(SECONDS)
            after = show.sink()
        restyled = show.report.engine.frames - frames
        assert share_since(before, after) >= 0.95
        assert 0 < restyled < 0.5 * (after.sent - before.sent)
        assert (show.report.engine.restarts, after.slate) == (0, before.slate)
