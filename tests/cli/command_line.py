"""What a test gives to the command line, and what a command leaves behind."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What one command left behind."""

    status: int
    out: str
    err: str


Sdstream = Callable[..., Answer]
"""Runs `sdstream` with these arguments: the type of the fixture `sdstream`."""
