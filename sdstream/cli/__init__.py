"""The command line: a file for each verb. Only here may anything be printed, and results alone go to standard output.

The room knows arguments, exit statuses and how results look. The work of a verb is done in the rooms below, and heavy
libraries load inside the verb, so `--help` is quick. Start reading at `app`, the tree of verbs, then `run`.
"""

import os
import sys
import traceback

from sdstream.errors import Bug, Lost, SdstreamError, Unavailable

INTERRUPTED = 130
"""Exit status when Ctrl-C ends a verb other than `run`, as shells have it: 128 + SIGINT."""


def main() -> None:
    """Run the command line; end with 0, 2, 69, 70, 77 or 78, and for an error with one message and no traceback."""
    _open_missing_files()
    # Stage processes import this module too, through the entry script: what is heavy stays inside.
    from sdstream.cli.app import app

    try:
        app(prog_name="sdstream")
    except SdstreamError as error:
        _end(str(error), _status(error))
    except KeyboardInterrupt:
        _end("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last line: whatever gets here is a bug of ours
        if {"-v", "--verbose"} & set(sys.argv):
            traceback.print_exc()
        _end(f"a bug in sdstream: {type(error).__name__}: {error}; run again with -v for the trace", Bug.exit_code)


def _open_missing_files() -> None:
    """Open the standard files that the caller closed (`2>&-`), for nobody.

    Else the next sockets and shared memories get their numbers, and what a library prints is written into those.
    """
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(spare, True)
    os.close(spare)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _status(error: SdstreamError) -> int:
    """A thing that may come back is, for a command that is over, a thing that is missing."""
    return Unavailable.exit_code if isinstance(error, Lost) else error.exit_code


def _end(message: str, status: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)
