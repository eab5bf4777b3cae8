"""The command line, with a file for each verb. Only this room prints, and only results go to standard output.

The room knows arguments, exit statuses and the look of results. The rooms below do the work of a verb. Heavy libraries
load inside the verb, so `--help` is quick. Start reading at `app`, the tree of verbs, then `run`.
"""

import errno
import os
import sys
import traceback
from typing import NoReturn

from sdstream.errors import Bug, Lost, SdstreamError, Unavailable

_SHORTAGES = {
    errno.EMFILE: "raise the limit of open files, shown by `ulimit -n`",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "close other programs",
    errno.ENOSPC: "free space on the disk",
    errno.EFBIG: "raise the limit of file sizes, shown by `ulimit -f`",
    errno.EROFS: "choose a folder that can be written",
}
"""What to do about a shortage of the machine: no bug of ours."""

INTERRUPTED = 130
"""Exit status when Ctrl-C ends any verb but `run`, as in shells: 128 + SIGINT."""


def main() -> None:
    """Run the command line; exit with 0, 2, 69, 70, 77, 78 or 130. An error prints a message without a traceback."""
    _open_missing_files()
    # Inside, because the processes of stages import this module too, through the entry script.
    from sdstream.cli.app import app

    try:
        app(prog_name="sdstream")
    except SdstreamError as error:
        _end(str(error), _status(error))
    except ModuleNotFoundError as error:
        from sdstream.system.installation import absent

        if (told := absent(error)) is None:
            _end_with_bug(error)
        else:
            _end(str(told), told.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", INTERRUPTED)
    except OSError as error:
        if error.errno not in _SHORTAGES:
            _end_with_bug(error)
        _end(f"{error.strerror}: {_SHORTAGES[error.errno]}", Unavailable.exit_code)
    except Exception as error:  # noqa: BLE001 - the last line: any error here is a bug of ours
        _end_with_bug(error)


def _open_missing_files() -> None:
    """Open /dev/null for each standard file that the caller closed (`2>&-`).

    Otherwise the next socket or shared memory gets the number of a standard file, and a library prints into the socket
    or the shared memory.
    """
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(spare, True)
    os.close(spare)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _status(error: SdstreamError) -> int:
    """Return the exit status of an error. `Lost` counts as missing: the command is over, and does not try again."""
    return Unavailable.exit_code if isinstance(error, Lost) else error.exit_code


def _end(message: str, status: int) -> NoReturn:
    _tell(message)
    sys.exit(status)


def _end_with_bug(error: Exception) -> NoReturn:
    if {"-v", "--verbose"} & set(sys.argv):
        _tell(traceback.format_exc().rstrip())
    _end(f"a bug in sdstream: {type(error).__name__}: {error}; run again with -v for the trace", Bug.exit_code)


def _tell(message: str) -> None:
    from sdstream import log  # late: `--help` does without structlog
    from sdstream.redact import shown

    log.tell(shown(message))
