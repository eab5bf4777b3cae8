"""A foreign program that runs beside the test, and ends with the test."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PATIENCE = 5.0
"""Seconds that a program may take to end when asked."""


@contextmanager
def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, **more: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` as long as the block lasts, with all that it says in the file `log`."""
    with log.open("ab") as output:
        options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, **more}
        program = subprocess.Popen(command, env=environment, **options)
    with program:
        try:
            yield program
        finally:
            end(program)


def end(program: subprocess.Popen[bytes]) -> None:
    """Ask a program to end; make it, if it does not."""
    program.terminate()
    try:
        program.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
