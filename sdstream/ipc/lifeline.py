"""Makes a child process end with the parent, and ignore Ctrl-C: the parent answers Ctrl-C for both."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

FOR_THE_SUPERVISOR = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # no SIGHUP on Windows
)
"""Signals about a whole run: a terminal sends the first and the last to every process of the run."""


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Block Ctrl-C for processes started inside this block, because Ctrl-C would interrupt the imports.

    `die_with_parent` unblocks the signals in the new process.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # else `start` would, and unblock the signals again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_SUPERVISOR)  # a child inherits the mask
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent(lifeline: Connection) -> None:
    """Make this process ignore signals of the terminal, and end when the parent closes the lifeline."""
    for number in FOR_THE_SUPERVISOR:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_THE_SUPERVISOR)
    if sys.platform == "linux":
        # A native call may hold the interpreter for ever. Then only the kernel can end this process, together with the
        # starting thread of the parent (PR_SET_PDEATHSIG). On macOS and Windows the thread below must do.
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True, name="lifeline").start()


def _end_with(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(0)
