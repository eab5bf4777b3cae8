"""Follows the configuration file of a run beside the supervisor: no save, however wrong, slows or ends a show."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sdstream.cli.config_watcher import ConfigWatcher
from sdstream.config.schema import Config
from sdstream.supervisor.control_desk import Desk

EACH = 0.1
"""Seconds between two looks at the file."""


@contextmanager
def following(watcher: ConfigWatcher, desk: Desk, change: Callable[[Config], None]) -> Iterator[None]:
    """Poll the watcher inside this block, in a thread: a file of 256 kB takes seconds to read and explain.

    The thread is not waited for: a network's folder may hold a read for ever.
    """
    over = threading.Event()
    thread = threading.Thread(target=_follow, args=(watcher, desk, change, over), daemon=True, name="configuration")
    thread.start()
    try:
        yield
    finally:
        over.set()


def _follow(watcher: ConfigWatcher, desk: Desk, change: Callable[[Config], None], over: threading.Event) -> None:
    while not over.wait(EACH):
        try:
            watcher.poll(desk, change)
        except Exception as error:  # noqa: BLE001 - a bug of ours in reading a file must not end a show
            watcher.refuse_whole(desk, f"a bug in sdstream: {type(error).__name__}: {error}")
