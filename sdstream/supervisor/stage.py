"""Runs one body in a process of its own, watches it, and puts a fresh process in its place when it dies or hangs.

A body is a plain function `body(context, …)`: it opens, loops while `context.running`, and raises. It knows no
process. `Context` is its view of the house; `Stage` is the supervisor's view of it.
"""

import contextlib
import enum
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from sdstream import log
from sdstream.errors import SdstreamError
from sdstream.ipc.context import BEAT, BORN, READY, Context
from sdstream.ipc.lifeline import born_deaf, tie
from sdstream.log import LogChoice

_SPAWN = multiprocessing.get_context("spawn")
BACKOFF = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, … restart in a row; a stage that ran for 10 s starts from the front again."""
_SETTLED = 10.0
_LOADING = 120.0
"""Seconds that a process may take until its body begins. All that happens before is the start of Python and its
libraries, which no server or device can hold up: a machine that needs so long for it is slow, and would be as slow
the next time. Four stages that start at once in an emulated machine of one core take half a minute."""
_AWAY = 1.0
"""Seconds between two looks after which the supervisor was held up itself (Ctrl-Z, a paused container): then silence
says nothing about the stages, which were held up with it."""
_LAST_WORDS = 4000
"""Characters of an error that the supervisor hears: a longer text would not fit the pipe that nobody reads yet."""


class Ending(enum.Enum):
    """Why a process of a stage ended."""

    CRASH = "crash"
    ERROR = "error"
    HANG = "hang"


@dataclass(frozen=True)
class Failure:
    """One unwanted end of a stage's process."""

    stage: str
    ending: Ending
    message: str
    exit_code: int
    """Status that the run should end with if it cannot go on without this stage (see errors.py)."""
    was_ready: bool


@dataclass
class Stage:
    """One body and the process that runs it now. All times are `time.monotonic()` seconds."""

    context: Context
    body: Callable[..., None]
    args: tuple[Any, ...] = ()
    hang_after: float = 5.0
    """Seconds without a sign of life, once ready, after which the process is killed."""
    open_deadline: float = 30.0
    """The same while it opens, from the first line of the body on."""
    niceness: int = 0
    """Added to the process's niceness: a stage that computes must not take the processor from one that sends."""
    logs: LogChoice = field(default_factory=LogChoice)
    restarts: int = 0
    _process: Any = None
    _report: Connection | None = None
    _lifeline: Connection | None = None
    _started: float = 0.0
    _failed_in_a_row: int = 0
    _next_start: float = field(default=0.0)
    _looked: float = 0.0
    _woken: float = 0.0

    @property
    def name(self) -> str:
        """Name in logs and reports."""
        return self.context.name

    @property
    def pid(self) -> int | None:
        """Process id, or None between two processes; other threads may ask."""
        process = self._process
        return process.pid if process else None

    @property
    def ready(self) -> bool:
        """Whether the present process has opened what it needs."""
        return self._process is not None and self.context.counters.get(READY) > 0

    @property
    def sentinel(self) -> int | None:
        """Something to wait on with `multiprocessing.connection.wait`, or None between two processes."""
        return self._process.sentinel if self._process else None

    def start(self, now: float) -> None:
        """Start a process. Raises OSError when the system has no room for one."""
        self.context.restarted()
        self._started = self._looked = now
        self._report, theirs = _SPAWN.Pipe(duplex=False)
        hold, self._lifeline = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(
            target=_main,
            args=(self.context, self.body, self.args, self.niceness, self.logs, theirs, hold),
            name=self.name,
            daemon=True,
        )
        try:
            with born_deaf():
                process.start()
            self._process = process
        finally:
            theirs.close()
            hold.close()

    def poll(self, now: float) -> Failure | None:
        """Look after the process: start it when its time has come, kill it when it hangs; tell of an end."""
        if self._process is None:
            if now < self._next_start:
                return None
            self.restarts += 1
            return self.try_to_start(now)
        if self._process.exitcode is not None:
            return self._ended(now, self._process.exitcode)
        self._woken = now if now - self._looked > _AWAY else self._woken
        self._looked = now
        quiet = now - max(self._woken, self.context.counters.get(BEAT))
        if quiet > self._patience:
            self._process.kill()
            self._process.join(1.0)
            return self._fail(now, Ending.HANG, f"no sign of life for {quiet:.1f} s", 70)
        if now - self._started > _SETTLED:
            self._failed_in_a_row = 0
        return None

    @property
    def _patience(self) -> float:
        if self.ready:
            return self.hang_after
        return self.open_deadline if self.context.counters.get(BORN) else max(_LOADING, self.open_deadline)

    def try_to_start(self, now: float) -> Failure | None:
        """Start a process, or tell why not: no memory, no process or no file left. The others go on; it may pass."""
        try:
            self.start(now)
        except OSError as error:
            advice = "close other programs, or raise the limits that `ulimit -a` shows"
            return self._fail(now, Ending.ERROR, f"no process could be started ({error}): {advice}", 70)
        return None

    def _ended(self, now: float, code: int) -> Failure:
        message, exit_code = self._last_words()
        if message:
            return self._fail(now, Ending.ERROR, message, exit_code)
        return self._fail(now, Ending.CRASH, f"process ended with {_name_of(code)}", 70)

    def stop(self) -> None:
        """Ask the process to end; `join` waits for it."""
        self.context.stop()

    def join(self, deadline: float) -> str:
        """Wait until `deadline` for the process to end, then kill it; return what went wrong, or "".

        Harmless when there is no process.
        """
        if self._process is None:
            return ""
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(1.0)
            trouble = "it did not end in time and was killed"
        else:
            trouble, _ = self._last_words()
        self._close()
        return trouble

    def _fail(self, now: float, ending: Ending, message: str, exit_code: int) -> Failure:
        failure = Failure(self.name, ending, message, exit_code, self.ready)
        self._close()
        self._next_start = now + BACKOFF[min(self._failed_in_a_row, len(BACKOFF) - 1)]
        self._failed_in_a_row += 1
        return failure

    def _last_words(self) -> tuple[str, int]:
        """Return the error that the process sent before it ended, or "" and 70."""
        if self._report is not None and self._report.poll():
            with contextlib.suppress(EOFError, OSError):  # OSError: it died in the middle of its words
                message, exit_code = self._report.recv()
                return str(message), int(exit_code)
        return "", 70

    def _close(self) -> None:
        for end in (self._report, self._lifeline):
            if end is not None:
                end.close()
        process, self._process, self._report, self._lifeline = self._process, None, None, None
        # A killed process that is inside a driver, or that gives back a lot of memory, is not gone at once. It runs
        # no more of our code, and multiprocessing reaps it when it starts another one.
        if process is not None and process.exitcode is not None:
            process.close()


def _name_of(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"status {code}"


def _main(
    context: Context,
    body: Callable[..., None],
    args: tuple[Any, ...],
    niceness: int,
    logs: LogChoice,
    report: Connection,
    lifeline: Connection,
) -> None:
    """Run a body in its process: the first of the two places that may catch everything."""
    tie(lifeline)
    if hasattr(os, "nice"):  # not on Windows
        os.nice(niceness)
    log.configure(logs.level, json=logs.json)
    log.bind(stage=context.name)
    context.born()
    try:
        body(context, *args)
    except SdstreamError as error:
        report.send((str(error)[:_LAST_WORDS], error.exit_code))
        os._exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor hears of it and starts another
        log.get_logger().exception("stage failed")
        report.send((f"{type(error).__name__}: {error}"[:_LAST_WORDS], 70))
        os._exit(70)
    os._exit(0)  # no finalisers: a native thread that will not end must not hold up the show
