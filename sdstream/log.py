"""Structured logs on standard error: an event is a constant phrase, facts are keywords.

Secrets never reach a log: settings hold secrets in types that print as stars.
"""

import contextlib
import logging
import os
import sys
from dataclasses import dataclass
from typing import TextIO

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class LogChoice:
    """How every process of a run logs."""

    level: str = "info"
    json: bool = False


def configure(level: str = "info", *, json: bool = False, out: TextIO | None = None) -> None:
    """Set up logging for this process; each process of a run calls `configure` once, with the supervisor's choice.

    On a terminal each line first clears the status line, because the status line has no line end.
    """
    out = out or sys.stderr
    on_terminal = out.isatty()
    colours = on_terminal and "NO_COLOR" not in os.environ
    clear = "\r\x1b[K" if on_terminal else ""
    console = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=28)
    renderer = structlog.processors.JSONRenderer() if json else console

    def render(logger: object, name: str, event: structlog.typing.EventDict) -> str:
        return clear + str(renderer(logger, name, event))

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if json else "%H:%M:%S.%f", utc=json),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=False,  # a logger made earlier must follow too; lines are few, so the cost is small
    )


class _Lines:
    """Writes lines while there is a reader; the end of the reader must not end the run."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, line: str) -> None:
        """Write a whole line."""
        try:
            self._out.write(line + "\n")
            self._out.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):  # else Python flushes again at exit, and fails
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    debug = info = warning = error = critical = write


def bind(**facts: object) -> None:
    """Add facts to every later line of this process, such as the name of the stage."""
    structlog.contextvars.bind_contextvars(**facts)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger of this process; bound late, so the order of imports does not matter."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
