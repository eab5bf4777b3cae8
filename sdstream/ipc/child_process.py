"""A spawned child process that ignores the signals of the terminal, and never outlives the parent."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, Self

from sdstream.ipc.lifeline import die_with_parent, signals_blocked
from sdstream.log import get_logger
from sdstream.redact import hidden, hide

_SPAWN = multiprocessing.get_context("spawn")
P = ParamSpec("P")


class ChildProcess:
    """Runs a function in a spawned process. As a context manager, kills the process at the end of the block."""

    def __init__(self, name: str, run: Callable[P, None], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Start a process that calls `run`. Raises OSError when the system has no room for a process.

        The calling thread must live at least as long as the process: Linux ends the process with the thread.
        """
        _leave_deleted_folder()
        child_end, self._lifeline = _SPAWN.Pipe(duplex=False)
        # The lifeline ends the process, rather than daemon=True: a daemon of multiprocessing may start no processes.
        self._process = _SPAWN.Process(target=_main, args=(child_end, hidden(), run, args, kwargs), name=name)
        try:
            with signals_blocked():
                self._process.start()
        except OSError:
            self._lifeline.close()
            raise
        finally:
            child_end.close()
        pid = self._process.pid
        assert pid is not None  # the process was started
        self.pid = pid
        """Process id; any thread may ask, also after `close`."""

    @property
    def exit_code(self) -> int | None:
        """None while the process runs; minus the signal's number where a signal ended the process."""
        return self._process.exitcode

    @property
    def stopped(self) -> bool:
        """Whether a signal has stopped the process (SIGSTOP, or a terminal's SIGTTOU) and no SIGCONT came yet.

        The process that started the child may ask. Windows and macOS do not tell: the answer is False.
        """
        if not hasattr(os, "waitid"):
            return False
        try:
            # WNOWAIT leaves the state where it is, also for multiprocessing's own wait for the end.
            return os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # the process has ended, and multiprocessing has taken note
            return False

    @property
    def sentinel(self) -> int:
        """Handle for `multiprocessing.connection.wait`: ready when the process has ended."""
        return self._process.sentinel

    def kill(self) -> None:
        """Kill the process at once; `join` waits for the end."""
        self._process.kill()

    def join(self, timeout: float | None = None) -> None:
        """Wait up to `timeout` seconds for the process to end."""
        self._process.join(timeout)

    def close(self) -> None:
        """Close the lifeline; a process still running ends."""
        ended = self._process.exitcode is not None
        self._lifeline.close()
        # A killed process is not gone at once while inside a driver, or while giving back a lot of memory. The process
        # runs no more of our code, and multiprocessing reaps the process at the next start of a process.
        if ended:
            self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        self.join()
        self.close()


def _leave_deleted_folder() -> None:
    """Go to the folder for temporary files when the working folder is gone: else no process can start."""
    try:
        os.getcwd()
    except FileNotFoundError:
        os.chdir(tempfile.gettempdir())
        get_logger().warning("the working folder is gone", now=os.getcwd())


def _main(
    lifeline: Connection,
    secrets: tuple[str, ...],
    run: Callable[..., None],  # checked against its arguments in `ChildProcess`
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> None:
    die_with_parent(lifeline)
    hide(*secrets)
    run(*args, **kwargs)
