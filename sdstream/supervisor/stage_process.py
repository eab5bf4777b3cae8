"""A process of a stage's body, and the pipe through which the process reports an error."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Never

from sdstream import log
from sdstream.errors import SdstreamError
from sdstream.ipc.child_process import ChildProcess
from sdstream.ipc.context import Context
from sdstream.log import LogChoice
from sdstream.redact import shown

_SPAWN = multiprocessing.get_context("spawn")
_MAX_ERROR = 4000
"""Characters of an error in the pipe: a longer text could block, because the pipe is read only after the end."""


class StageProcess:
    """A process of a stage, from start to end."""

    def __init__(self, context: Context, body: Callable[[Context], None], niceness: int, logs: LogChoice) -> None:
        """Start the process. Raises OSError when the system has no room for a process."""
        self._report, child_end = _SPAWN.Pipe(duplex=False)
        try:
            self._child = ChildProcess(context.name, _main, context, body, niceness, logs, child_end)
        except OSError:
            self._report.close()
            raise
        finally:
            child_end.close()

    @property
    def pid(self) -> int:
        """Process id; any thread may ask."""
        return self._child.pid

    @property
    def sentinel(self) -> int:
        """Handle for `multiprocessing.connection.wait`."""
        return self._child.sentinel

    @property
    def exit_code(self) -> int | None:
        """None while the process runs; minus the signal's number where a signal ended the process."""
        return self._child.exit_code

    @property
    def stopped(self) -> bool:
        """Whether a signal has stopped the process, as SIGSTOP does; always False on Windows and macOS."""
        return self._child.stopped

    def kill(self) -> None:
        """Kill the process; `join` waits for the end."""
        self._child.kill()

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for the process to end."""
        self._child.join(timeout)

    def reported_error(self) -> tuple[str, int]:
        """Return the error and exit status sent by the process before the end; "" and 70 without an error."""
        if self._report.poll():
            with contextlib.suppress(EOFError, OSError):  # OSError: the process died while sending
                message, exit_code = self._report.recv()
                return str(message), int(exit_code)
        return "", 70

    def close(self) -> None:
        """Release the process; the process must have ended or been killed."""
        self._report.close()
        self._child.close()


def _main(
    context: Context, body: Callable[[Context], None], niceness: int, logs: LogChoice, report: Connection
) -> None:
    """Run a body in a stage's process: the first of the two places with a broad `except`."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(niceness)
    log.configure(logs.level, json=logs.json)
    log.bind(stage=context.name)
    context.begun()
    try:
        body(context)
    except SdstreamError as error:
        report.send((shown(str(error))[:_MAX_ERROR], error.exit_code))
        _leave(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the supervisor reports any error, and starts a new process
        log.get_logger().exception("stage failed")
        report.send((shown(f"{type(error).__name__}: {error}")[:_MAX_ERROR], 70))
        _leave(70)
    _leave(0)


def _leave(exit_code: int) -> Never:
    log.flush()
    os._exit(exit_code)  # no finalisers: a native thread without an end must not hold up the exit
