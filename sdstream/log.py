"""Structured logs on standard error: an event is a constant phrase, facts are keywords.

Secrets never reach a log: settings hold secrets in types that print as stars, and each line is searched for the secrets
of the run. A log without a reader stops nothing: lines wait in a bounded queue, and lines beyond the bound are dropped
and counted.
"""

import atexit
import contextlib
import contextvars
import io
import logging
import os
import select
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TextIO

import structlog

from sdstream.redact import one_line, shown_value

_OF_MANY_LINES = {"exception", "stack", "mistakes"}
"""Facts of several lines, written by us."""
QUEUE_BYTES = 256 * 1024
"""Bytes of lines that wait for a reader; later lines are dropped until half of the bytes are read."""
_OURS = {"level", "timestamp"}
"""Facts that hold no text of a user."""
PROMPT_WITHIN = 0.005
"""Seconds that a line waits for its way out while somebody reads: the next call may crash, or hold the interpreter."""
FLUSH_WITHIN = 0.5
"""Seconds that the end of a process waits for the reader of the log."""
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

    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if json else "%H:%M:%S.%f", utc=json),
        structlog.processors.format_exc_info,
        _without_secrets,
        render,
    ]
    rendering = structlog.wrap_logger(
        structlog.testing.ReturnLogger(), processors, structlog.make_filtering_bound_logger(logging.DEBUG)
    )
    _replace_writer(out, lambda count: str(rendering.warning("log lines dropped", lines=count)) + "\n")
    lines = _Lines(_writer)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,  # a logger made earlier must follow too; lines are few, so the cost is small
    )


def tell(text: str, end: str = "\n") -> None:
    """Write text for people on standard error, after all earlier lines of this process, without waiting."""
    if _writer.out is not sys.stderr:
        _replace_writer(sys.stderr, lambda count: f"{count} lines dropped\n")
    _writer.write(text + end)


def flush(within: float = FLUSH_WITHIN) -> None:
    """Wait up to `within` seconds until the lines of this process are written; call before `os._exit`."""
    _writer.flush(within)


def _without_secrets(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Hide secrets and terminal escapes in the phrase, the facts and the trace of a line."""
    return {key: value if key in _OURS else _safe(key, value) for key, value in event.items()}


def _safe(key: str, value: object) -> object:
    """Return a fact without secrets; a name of a stranger's begins no line of its own."""
    safe = shown_value(value)
    return one_line(safe) if isinstance(safe, str) and key not in _OF_MANY_LINES else safe


class Writer(Protocol):
    """The way of a text to a file."""

    out: TextIO

    def write(self, text: str) -> None:
        """Write or queue `text`, in the order of the calls."""

    def flush(self, within: float) -> None:
        """Wait up to `within` seconds for all earlier texts."""


class DirectWriter:
    """Writes at once, for files on a disk and files in memory: such a file never waits for a reader."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def write(self, text: str) -> None:
        """Write `text`. A failing file must not end the run."""
        try:
            self.out.write(text)
            self.out.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):  # else Python flushes again at exit, and fails
                _discard(self.out.fileno())

    def flush(self, within: float) -> None:
        """Return at once."""


class QueueWriter:
    """Writes to a pipe, socket or terminal from a thread, because a write waits while nobody reads."""

    def __init__(self, out: TextIO, dropped: Callable[[int], str], limit: int = QUEUE_BYTES) -> None:
        """`dropped(count)` returns the text in the place of `count` dropped texts; `limit` is in bytes."""
        self.out = out
        self._file = out.fileno()  # not `out` itself: a second writer would wait for the lock of `out`
        self._dropped, self._limit = dropped, limit
        self._queue: deque[bytes | int] = deque()  # an integer counts the texts dropped in this place
        self._held = 0  # bytes
        self._full = self._busy = False
        self._change = threading.Condition()  # with a re-entrant lock: a signal's handler may log
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> None:
        """Queue `text`; beyond the limit, drop and count `text`."""
        data = text.encode(self.out.encoding or "utf-8", "backslashreplace")
        with self._change:
            prompt = self._idle()
            room = self._limit // 2 if self._full else self._limit
            self._full = self._held > 0 and self._held + len(data) > room
            if not self._full:
                self._queue.append(data)
                self._held += len(data)
            elif self._queue and isinstance(last := self._queue[-1], int):
                self._queue[-1] = last + 1
            else:
                self._queue.append(1)
            self._start()
            self._change.notify_all()
            if prompt:  # else nobody reads at present, and the caller must not wait
                self._change.wait_for(self._idle, PROMPT_WITHIN)

    def flush(self, within: float) -> None:
        """Wait up to `within` seconds for all earlier texts."""
        with self._change:
            self._change.wait_for(self._idle, within)

    def _idle(self) -> bool:
        return not self._queue and not self._busy

    def _start(self) -> None:
        if self._thread is None:
            context = contextvars.copy_context()  # the text for dropped texts names the stage too
            thread = threading.Thread(target=context.run, args=(self._write_all,), daemon=True, name="log")
            with contextlib.suppress(RuntimeError):  # the system has no room for a thread; the next line tries again
                thread.start()
                self._thread = thread
                atexit.register(self.flush, FLUSH_WITHIN)

    def _write_all(self) -> None:
        while True:
            with self._change:
                self._busy = False
                self._change.notify_all()
                self._change.wait_for(lambda: self._queue)
                text = self._queue.popleft()
                self._busy = True
            if isinstance(text, int):
                text = self._dropped(text).encode("utf-8", "backslashreplace")
                self._put(text)
            else:
                self._put(text)
                with self._change:
                    self._held -= len(text)

    def _put(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._file, data) :]
            except BlockingIOError:  # another process made the pipe non-blocking
                select.select([], [self._file], [], 1.0)
            except OSError:  # the reader has gone
                _discard(self._file)
                return


class _Lines:
    """What structlog takes for a logger: each level is a method."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def write(self, line: str) -> None:
        """Write a whole line."""
        self._writer.write(line + "\n")

    debug = info = warning = error = critical = write


_writer: Writer = DirectWriter(io.StringIO())  # until the first use


def _replace_writer(out: TextIO, dropped: Callable[[int], str]) -> None:
    """Make the later texts of this process go to `out`."""
    global _writer  # noqa: PLW0603 - a process has a single log, as a process has a single standard error
    _writer.flush(FLUSH_WITHIN)
    _writer = QueueWriter(out, dropped) if _may_wait(out) else DirectWriter(out)


def _may_wait(out: TextIO) -> bool:
    """Tell whether a write to `out` may wait for a reader."""
    try:
        return not stat.S_ISREG(os.fstat(out.fileno()).st_mode)
    except (OSError, ValueError):  # in memory, or closed
        return False


def _discard(file: int) -> None:
    """Let later writes to the number `file` vanish."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, file)
        os.close(null)


def bind(**facts: object) -> None:
    """Add facts to every later line of this process, such as the name of the stage."""
    structlog.contextvars.bind_contextvars(**facts)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger of this process; bound late, so the order of imports does not matter."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
