"""Runs a body in a separate process, watches the process, and starts a new process after a death or a hang.

A body is a plain function `body(context, …)`: the body opens, loops while `context.running`, and raises, and knows no
process. `Context` is the body's side of a stage, `Stage` the supervisor's side.
"""

import contextlib
import signal
import time
from collections.abc import Callable

from sdstream.ipc.context import Context
from sdstream.log import LogChoice
from sdstream.supervisor.failure import Ending, Failure
from sdstream.supervisor.restart_delay import RestartDelay
from sdstream.supervisor.signs_of_life import SignsOfLife
from sdstream.supervisor.stage_process import StageProcess


class Stage:
    """A body and the present process of the body. All times are `time.monotonic()` seconds."""

    def __init__(
        self,
        context: Context,
        body: Callable[[Context], None],
        hang_after: float = 5.0,
        open_deadline: float = 30.0,
        niceness: int = 0,
        logs: LogChoice | None = None,
    ) -> None:
        """`body` must be picklable: a module's function, or a `Body` where the function takes more arguments.

        `hang_after`: seconds without a sign of life after which a ready process is killed.
        `open_deadline`: the same while the body opens, from the body's first line on.
        `niceness`: added to the process's niceness: a computing stage must not starve a sending stage.
        """
        self.context = context
        self.restarts = 0
        self.problem = ""
        """Message of the last failure."""
        self._body, self._niceness, self._logs = body, niceness, logs or LogChoice()
        self._open_deadline = open_deadline
        self._signs = SignsOfLife(context.counters, hang_after, open_deadline)
        self._delay = RestartDelay()
        self._process: StageProcess | None = None

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
        """Whether the body has finished opening in the present process."""
        return self._process is not None and self._signs.ready

    @property
    def over(self) -> bool:
        """Whether there is no process, or the process has ended."""
        return self._process is None or self._process.exit_code is not None

    @property
    def failures(self) -> int:
        """Failures in a row up to now, without a settled process in between."""
        return self._delay.in_a_row

    @property
    def sentinel(self) -> int | None:
        """Handle for `multiprocessing.connection.wait`; None between two processes."""
        return self._process.sentinel if self._process else None

    def start(self, now: float) -> None:
        """Start a process. Raises OSError when the system has no room for a process."""
        self.context.restarted()
        self._signs.started(now)
        self._delay.started(now)
        self._process = StageProcess(self.context, self._body, self._niceness, self._logs)

    def try_to_start(self, now: float) -> Failure | None:
        """Start a process, or return a failure: no memory, process or file is left. The shortage may pass."""
        try:
            self.start(now)
        except OSError as error:
            advice = "close other programs, or raise the limits shown by `ulimit -a`"
            return self._fail(now, Ending.ERROR, f"cannot start a process ({error}): {advice}", 70)
        return None

    def poll(self, now: float) -> Failure | None:
        """Start a process when due, kill a hanging process, and return the failure after an unwanted end."""
        process = self._process
        if process is None:
            if not self._delay.over(now):
                return None
            self.restarts += 1
            return self.try_to_start(now)
        if process.exit_code is not None:
            return self._ended(now, process, process.exit_code)
        silence = self._signs.overdue(now, process.stopped)
        if silence is not None:
            process.kill()
            process.join(1.0)
            return self._fail(now, Ending.HANG, f"no sign of life for {silence:.1f} s", 70)
        self._delay.alive(now)
        return None

    def replace(self) -> None:
        """Kill the present process; `poll` starts the next process at once. No failure is counted."""
        self.kill()
        self._delay.skip()

    def use(self, body: Callable[[Context], None], hang_after: float) -> None:
        """Give the next process a body with other settings."""
        self._body = body
        self._signs = SignsOfLife(self.context.counters, hang_after, self._open_deadline)

    def kill(self) -> None:
        """Kill the present process at once; without a call of `poll` no new process starts."""
        if self._process is not None:
            self._process.kill()
            self._process.join(1.0)
            self._close()

    def stop(self) -> None:
        """Ask the process to end; `join` waits for the end."""
        self.context.stop()

    def join(self, deadline: float) -> str:
        """Wait until `deadline` for the process to end, then kill the process; return the problem, or "".

        Harmless between two processes.
        """
        process = self._process
        if process is None:
            return ""
        process.join(max(0.0, deadline - time.monotonic()))
        if process.exit_code is None:
            # A body that still opens cannot look at the request to end: libraries load in one piece.
            problem = "the process did not end in time and was killed" if self._signs.ready else ""
            process.kill()
            process.join(1.0)
        else:
            problem, _ = process.reported_error()
        self._close()
        return problem

    def _ended(self, now: float, process: StageProcess, code: int) -> Failure:
        message, exit_code = process.reported_error()
        if message:
            return self._fail(now, Ending.ERROR, message, exit_code)
        return self._fail(now, Ending.CRASH, f"process ended with {_name_of(code)}", 70)

    def _fail(self, now: float, ending: Ending, message: str, exit_code: int) -> Failure:
        self.problem = message
        failure = Failure(self.name, ending, message, exit_code, self.ready)
        self._close()
        self.context.restarted()  # the signs of life are of a dead process
        self._delay.failed(now)
        return failure

    def _close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()


def _name_of(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"status {code}"
