"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(probe: Callable[[], T | None], seconds: float, what: str, every: float = 0.05) -> T:
    """Ask `probe` again and again until it answers with something true, and return that.

    Raises AssertionError, which names `what` was waited for, after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; the last answer was {answer!r}")
        time.sleep(every)
