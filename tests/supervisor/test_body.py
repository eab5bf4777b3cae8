"""A stage's body: a function with its arguments, ready for another process."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from sdstream.ipc.context import Context
from sdstream.supervisor.body import Body

ROOT = Path(__file__).parents[2]
WRONG_ARGUMENTS = """
from sdstream.ipc.child_process import ChildProcess
from sdstream.ipc.context import Context
from sdstream.sources.rtmp_server import RtmpServer, run_rtmp_server
from sdstream.supervisor.body import Body
from sdstream.supervisor.stage import Stage

def run(context: Context, name: str, *, seconds: float = 1.0) -> None: ...

def no_context(seconds: float) -> None: ...

def right(context: Context, server: RtmpServer) -> None:
    Stage(context, Body(run, "a"))
    Stage(context, Body(run, "a", seconds=2.0))
    Stage(context, Body(run_rtmp_server, *server.arguments))
    ChildProcess("child", run, context, "a")

def wrong(context: Context, server: RtmpServer) -> None:
    Body(run, 1)  # type: ignore[arg-type]
    Body(run)  # type: ignore[call-arg]
    Body(run, "a", 2.0)  # type: ignore[call-arg]
    Body(run, "a", second=2.0)  # type: ignore[call-arg]
    Body(run_rtmp_server, *server.arguments[1:])  # type: ignore[arg-type, call-arg]
    Body(no_context)  # type: ignore[arg-type]
    Stage(context, run)  # type: ignore[arg-type]
    ChildProcess("child", run, context)  # type: ignore[call-arg]
"""
"""Each `type: ignore` that mypy does not need is an error to mypy."""


def note(context: Context, name: str, *, times: float = 1.0) -> None:
    context.counters.add(name, times)


def test_a_body_calls_its_function_with_its_arguments() -> None:
    context = Context.alone("turns")
    Body(note, "turns", times=3.0)(context)
    assert context.counters.count("turns") == 3


def test_a_body_can_be_sent_to_another_process() -> None:
    context = Context.alone("turns")
    pickle.loads(pickle.dumps(Body(note, "turns", times=3.0)))(context)
    assert context.counters.count("turns") == 3


@pytest.mark.slow
def test_mypy_sees_a_wrong_argument_of_a_stage(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    snippet = tmp_path / "wrong_arguments.py"
    snippet.write_text(WRONG_ARGUMENTS)
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path / 'cache'}", str(snippet)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert (checked.returncode, checked.stdout) == (0, "Success: no issues found in 1 source file\n")
