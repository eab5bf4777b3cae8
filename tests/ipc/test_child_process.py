"""A child process: arguments, exit status, signals, and its end with its parent."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection, wait

import pytest

from sdstream.ipc.child_process import ChildProcess
from tests.harness.wait import until


def sleep() -> None:
    time.sleep(60)


def leave(status: int, *, later: float = 0.0) -> None:
    time.sleep(later)
    sys.exit(status)


def answer_in_a_child_of_its_own(answer: Connection) -> None:
    with ChildProcess("grandchild", answer.send, "from below") as grandchild:
        grandchild.join()


def say_what_is_ignored(answer: Connection) -> None:
    answer.send([signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGINT, signal.SIGTERM)])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_takes_its_arguments_and_its_exit_status_comes_back() -> None:
    with ChildProcess("child", leave, 3, later=0.01) as child:
        assert wait([child.sentinel], 20)
        child.join(1)
        assert child.exit_code == 3


def test_a_child_is_killed_at_the_end_of_the_block() -> None:
    with ChildProcess("child", sleep) as child:
        assert child.exit_code is None
        assert alive(child.pid)
    assert not alive(child.pid)


def test_a_child_leaves_the_signals_of_the_terminal_to_its_parent() -> None:
    answer, theirs = multiprocessing.Pipe(duplex=False)
    with answer, theirs, ChildProcess("child", say_what_is_ignored, theirs):
        assert answer.poll(20)
        assert answer.recv() == [True, True]


def test_a_child_may_start_processes_itself() -> None:
    answer, theirs = multiprocessing.Pipe(duplex=False)
    with answer, theirs, ChildProcess("child", answer_in_a_child_of_its_own, theirs):
        assert answer.poll(30)
        assert answer.recv() == "from below"


def test_a_system_without_room_for_a_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(process: object) -> None:
        raise BlockingIOError("no process left")

    monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", no_room)
    with pytest.raises(BlockingIOError):
        ChildProcess("child", sleep)


def test_a_child_dies_with_its_parent() -> None:
    code = (
        "import time\n"
        "from tests.ipc.test_child_process import ChildProcess, sleep\n"
        "if __name__ == '__main__':\n"
        "    print(ChildProcess('child', sleep).pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        time.sleep(1.0)
        parent.kill()
    until(lambda: not alive(child), 5, "the child dies", every=0.01)
