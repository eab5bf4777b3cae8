"""The engine's process runs out of memory on air: the camera shows until a new process is there, and nothing ends."""

import time
from typing import Any

import pytest
import torch

from sdstream.engine import passthrough
from sdstream.ipc.context import Context
from sdstream.stages.engine import run_engine
from sdstream.supervisor import wiring
from tests.harness.pipeline_run import PipelineRun, share_since

pytestmark = [pytest.mark.fault, pytest.mark.slow]
TESTSRC = {"kind": "testsrc"}


def run_out_of_memory(context: Context, *parts: Any) -> None:
    """Run the engine, and raise as torch does on a full GPU, a second after the start."""
    until = time.monotonic() + 1.0
    real = passthrough.Passthrough.__call__

    def call(self: passthrough.Passthrough, *arguments: Any) -> Any:
        if time.monotonic() > until:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(self, *arguments)

    passthrough.Passthrough.__call__ = call
    run_engine(context, *parts)


def test_an_engine_that_runs_out_of_memory_again_and_again_ends_no_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring.engine, "run_engine", run_out_of_memory)
    with PipelineRun(TESTSRC, air={"hold": 0.3}) as show:
        before = show.showing("live").sinks[0]
        show.wait(lambda report: report.engine.restarts >= 2 and report.sinks[0].camera > before.camera, 60)
        show.showing("live", seconds=30)
        assert share_since(before, show.sink()) >= 0.99
        assert show.sink().slate == before.slate
    assert show.final is not None
    assert (show.final.exit_code, show.final.reason) == (0, "")
