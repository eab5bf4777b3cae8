"""How results look: JSON for machines, and for people text that rich lays out, with colour on a terminal."""

import errno
import json
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDE = 10_000
"""Columns. Lines are there to be copied and to be found by `grep`: rich must not break them, a terminal wraps them."""


def say(text: str, end: str = "\n") -> None:
    """Print on standard output. A reader that has enough (`| head`), or a terminal that was closed, ends it well."""
    try:
        print(text, end=end, flush=True)
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.EIO}:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python tries again as it ends
        raise SystemExit(0) from error


def say_json(value: object) -> None:
    """Print `value` as JSON on standard output."""
    say(json.dumps(value, indent=2, ensure_ascii=False))


def rendered(what: "RenderableType", out: TextIO | None = None) -> str:
    """Return `what` as rich lays it out for `out`, by default standard output.

    The text has colours where `out` is a terminal and NO_COLOR is not set. Brackets are text, not markup.
    """
    from rich.console import Console

    console = Console(file=out or sys.stdout, width=_WIDE, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        console.print(what)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def styled(text: str, style: str) -> str:
    """Return `text` in a style of rich's, such as `red`, where standard output shows it."""
    from rich.text import Text

    return rendered(Text(text, style))
