"""The process that runs a stage's body now, and the pipe by which the process says what went wrong."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection

from sdstream import log
from sdstream.errors import SdstreamError
from sdstream.ipc.child_process import ChildProcess
from sdstream.ipc.context import Context
from sdstream.log import LogChoice

_SPAWN = multiprocessing.get_context("spawn")
_LAST_WORDS = 4000
"""Characters of an error that the supervisor hears: a longer text would not fit the pipe that nobody reads yet."""


class StageProcess:
    """One process of a stage, from its start to its end."""

    def __init__(self, context: Context, body: Callable[[Context], None], niceness: int, logs: LogChoice) -> None:
        """Start the process. Raises OSError when the system has no room for a process."""
        self._report, theirs = _SPAWN.Pipe(duplex=False)
        try:
            self._child = ChildProcess(context.name, _main, context, body, niceness, logs, theirs)
        except OSError:
            self._report.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """Process id; any thread may ask."""
        return self._child.pid

    @property
    def sentinel(self) -> int:
        """Something to wait on with `multiprocessing.connection.wait`."""
        return self._child.sentinel

    @property
    def exit_code(self) -> int | None:
        """None while the process runs; minus the signal's number where a signal ended the process."""
        return self._child.exit_code

    def kill(self) -> None:
        """Kill the process; `join` waits for the end."""
        self._child.kill()

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for the process to end."""
        self._child.join(timeout)

    def last_words(self) -> tuple[str, int]:
        """Return the error that the process sent before it ended, with its exit status, or "" and 70."""
        if self._report.poll():
            with contextlib.suppress(EOFError, OSError):  # OSError: the process died in the middle of its words
                message, exit_code = self._report.recv()
                return str(message), int(exit_code)
        return "", 70

    def close(self) -> None:
        """Let go of the process, which must have ended or been killed."""
        self._report.close()
        self._child.close()


def _main(
    context: Context, body: Callable[[Context], None], niceness: int, logs: LogChoice, report: Connection
) -> None:
    """Run a body in its process: the first of the two places that may catch everything."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(niceness)
    log.configure(logs.level, json=logs.json)
    log.bind(stage=context.name)
    context.born()
    try:
        body(context)
    except SdstreamError as error:
        report.send((str(error)[:_LAST_WORDS], error.exit_code))
        os._exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor hears of it and starts another
        log.get_logger().exception("stage failed")
        report.send((f"{type(error).__name__}: {error}"[:_LAST_WORDS], 70))
        os._exit(70)
    os._exit(0)  # no finalisers: a native thread that will not end must not hold up the show
