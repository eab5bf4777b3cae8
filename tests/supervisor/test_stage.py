"""A stage: a process that is started, watched, killed and replaced."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from sdstream.errors import Unavailable
from sdstream.ipc.context import BEGUN, READY, Context, stage_counters
from sdstream.supervisor.body import Body
from sdstream.supervisor.failure import Ending, Failure
from sdstream.supervisor.stage import Stage


def beat(context: Context) -> None:
    context.ready()
    while context.running:
        context.counters.add("turns")
        time.sleep(0.01)


def hang(context: Context) -> None:
    context.ready()
    time.sleep(60)


def refuse(context: Context) -> None:
    raise Unavailable("no such camera: plug it in")


def crash(context: Context) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def crash_when_ready(context: Context) -> None:
    context.ready()
    crash(context)


def break_down(context: Context) -> None:
    raise ZeroDivisionError("a bug")


def say_much(context: Context) -> None:
    raise Unavailable("compiler said: " + "x" * 1_000_000)


class Heavy:
    """Something that takes a second to load."""

    def __setstate__(self, state: object) -> None:
        time.sleep(1.0)

    def __getstate__(self) -> str:
        return "heavy"


def beat_with(context: Context, heavy: Heavy) -> None:
    beat(context)


def open_for_ever(context: Context) -> None:
    time.sleep(60)


def stage(body, **settings: Any) -> Stage:
    return Stage(Context("test", stage_counters(("turns",))), body, **settings)


def wait_for(condition, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def first_failure(watched: Stage) -> Failure:
    found: list[Failure] = []

    def look() -> bool:
        failure = watched.poll(time.monotonic())
        found.extend([failure] if failure else [])
        return bool(found)

    assert wait_for(look)
    return found[0]


@pytest.fixture
def started():
    stages: list[Stage] = []

    def start(body, **settings: Any) -> Stage:
        stages.append(stage(body, **settings))
        stages[-1].start(time.monotonic())
        return stages[-1]

    yield start
    for each in stages:
        each.stop()
        each.join(time.monotonic() + 2)


def test_a_body_runs_until_it_is_asked_to_end(started) -> None:
    running = started(beat)
    assert wait_for(lambda: running.context.counters.get("turns") > 3)
    pid = running.pid
    running.stop()
    running.join(time.monotonic() + 5)
    assert running.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_error_arrives_with_its_words_and_its_exit_status(started) -> None:
    failure = first_failure(started(refuse))
    assert (failure.ending, failure.exit_code) == (Ending.ERROR, 69)
    assert failure.message == "no such camera: plug it in"
    assert not failure.was_ready


def test_a_bug_arrives_as_a_bug(started, capfd: pytest.CaptureFixture[str]) -> None:
    failure = first_failure(started(break_down))
    assert (failure.exit_code, failure.message) == (70, "ZeroDivisionError: a bug")


def test_a_crash_is_named_by_its_signal(started) -> None:
    failure = first_failure(started(crash))
    assert failure.ending is Ending.CRASH
    assert "SIGSEGV" in failure.message


def test_a_hang_is_killed_after_its_deadline(started) -> None:
    watched = started(hang, hang_after=0.3)
    failure = first_failure(watched)
    assert failure.ending is Ending.HANG
    assert failure.was_ready
    assert watched.pid is None


def test_a_killed_process_is_replaced_and_counters_go_on(started) -> None:
    watched = started(beat)
    assert wait_for(lambda: watched.context.counters.get("turns") > 3)
    os.kill(watched.pid, signal.SIGKILL)
    assert first_failure(watched).ending is Ending.CRASH
    before = watched.context.counters.get("turns")
    assert wait_for(lambda: watched.poll(time.monotonic()) is None and watched.context.counters.get("turns") > before)
    assert watched.restarts == 1


def test_a_process_that_outlives_its_kill_does_not_hold_up_the_others(started, monkeypatch) -> None:
    """One that is inside a driver, or gives back a graphics card's memory, is not gone at once."""
    watched = started(hang, hang_after=0.3)
    assert wait_for(lambda: watched.ready)
    kill, stuck = watched._process.kill, watched._process  # a driver that holds a process cannot be had in a test
    monkeypatch.setattr(stuck, "kill", lambda: None)
    assert first_failure(watched).ending is Ending.HANG
    assert watched.pid is None
    kill()
    stuck.join(5)


def test_a_very_long_error_still_arrives(started) -> None:
    """A pipe holds 64 KiB, and nobody reads it before the process has ended."""
    failure = first_failure(started(say_much))
    assert failure.ending is Ending.ERROR
    assert failure.message.startswith("compiler said: xxx")


def test_a_process_that_cannot_be_started_is_tried_again(started, monkeypatch) -> None:
    watched = started(crash)
    assert first_failure(watched).ending is Ending.CRASH

    def no_room(process: object) -> None:
        raise BlockingIOError("no process left")

    first = stage(beat)
    with monkeypatch.context() as full:
        full.setattr("multiprocessing.context.SpawnProcess.start", no_room)
        assert "no process left" in first_failure(watched).message
        assert "ulimit -a" in first.try_to_start(time.monotonic()).message
    assert first.pid is None
    assert wait_for(lambda: watched.poll(time.monotonic()) is None and watched.pid is not None)


def open_with(context: Context, heavy: Heavy) -> None:
    time.sleep(60)


@pytest.mark.parametrize("begun", [False, True], ids=["loads", "opens"])
def test_a_process_that_is_stopped_before_it_is_ready_is_replaced_within_seconds(started, begun) -> None:
    """A slow machine may take two minutes to load the libraries, and a model ten to compile; a stop is neither."""
    watched = started(Body(open_with, Heavy()), open_deadline=600.0)
    assert wait_for(lambda: not begun or watched.context.counters.get(BEGUN) > 0)
    stopped = watched.pid
    os.kill(stopped, signal.SIGSTOP)
    began = time.monotonic()
    failure = first_failure(watched)
    assert (failure.ending, failure.was_ready) == (Ending.HANG, False)
    assert 4.0 < time.monotonic() - began < 8.0
    assert not psutil.pid_exists(stopped)
    assert wait_for(lambda: watched.poll(time.monotonic()) is None and watched.pid is not None)


def test_a_supervisor_that_was_held_up_itself_takes_nobody_for_hung(started) -> None:
    """After Ctrl-Z and `fg`, or when a container goes on, all have been silent for as long."""
    watched = started(beat, hang_after=2.0)
    assert wait_for(lambda: watched.ready and watched.poll(time.monotonic()) is None)
    os.kill(watched.pid, signal.SIGSTOP)
    time.sleep(2.5)
    assert watched.poll(time.monotonic()) is None
    assert first_failure(watched).ending is Ending.HANG  # it is still stopped, and now that is its own fault


def test_a_failure_at_the_end_is_told(started) -> None:
    fine, stuck, broken = started(beat), started(hang), started(refuse)
    for each in (fine, stuck):
        assert wait_for(lambda each=each: each.ready)
        each.stop()
    now = time.monotonic()
    assert broken.join(now + 20) == "no such camera: plug it in"
    assert fine.join(now + 20) == ""
    assert "killed" in stuck.join(now)


def test_a_stage_dies_with_its_supervisor() -> None:
    code = (
        "import sys, time\n"
        "from tests.supervisor.test_stage import beat, stage\n"
        "if __name__ == '__main__':\n"
        "    s = stage(beat); s.start(time.monotonic())\n"
        "    print(s.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(1.0)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_for(lambda: not psutil.pid_exists(child), 5)


def test_a_context_can_be_used_without_a_process() -> None:
    context = Context.alone("turns")
    assert context.running
    context.stop()
    assert not context.running


def test_a_machine_that_is_slow_to_load_the_libraries_is_given_time(started) -> None:
    slow = started(Body(beat_with, Heavy()), open_deadline=0.5)
    failures: list[Failure | None] = []
    assert wait_for(lambda: failures.append(slow.poll(time.monotonic())) or slow.context.counters.count("turns"))
    assert not any(failures)


def test_a_body_that_opens_for_too_long_is_a_hang(started) -> None:
    failure = first_failure(started(open_for_ever, open_deadline=0.5))
    assert (failure.ending, failure.was_ready) == (Ending.HANG, False)


def test_a_process_that_still_opens_at_the_end_is_no_problem():
    watched = stage(open_for_ever)
    watched.start(time.monotonic())
    assert wait_for(lambda: watched.context.counters.get(BEGUN) > 0)
    watched.stop()
    assert watched.join(time.monotonic() + 0.1) == ""
    assert watched.pid is None


def test_a_process_that_hangs_at_the_end_is_a_problem():
    watched = stage(hang)
    watched.start(time.monotonic())
    assert wait_for(lambda: watched.ready)
    watched.stop()
    assert "killed" in watched.join(time.monotonic() + 0.1)


def test_a_dead_process_leaves_no_sign_of_life():
    watched = stage(crash_when_ready)
    watched.start(time.monotonic())
    assert first_failure(watched).was_ready
    assert watched.context.counters.get(READY) == 0
