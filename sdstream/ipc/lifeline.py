"""Lets a child process ignore Ctrl-C, which its parent answers, and end when its parent ends."""

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
"""Signals that ask a run to end: a terminal sends the first and the last to every process of the run."""


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Start processes inside this block with Ctrl-C blocked, because Ctrl-C would interrupt their imports.

    A process unblocks the signals itself, by `die_with_parent`.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing would start it now, and unblock these signals after that
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FOR_THE_SUPERVISOR)  # a child inherits what is blocked
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent(lifeline: Connection) -> None:
    """Make this process ignore signals of the terminal, and end when the other end of `lifeline` closes."""
    for number in FOR_THE_SUPERVISOR:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_THE_SUPERVISOR)
    if sys.platform == "linux":
        # A native call may hold the interpreter for ever; then only the kernel can end this process with the thread
        # that started it (PR_SET_PDEATHSIG). Elsewhere the thread below must do.
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True, name="lifeline").start()


def _end_with(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(0)
