"""Prints results: JSON for machines, and for people text laid out by rich, with colour on a terminal."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Mapping
from io import StringIO
from typing import TYPE_CHECKING, TextIO

from sdstream import __version__
from sdstream.errors import Unavailable

if TYPE_CHECKING:
    from rich.console import RenderableType

_WIDE = 10_000
"""Columns of lines for copying and for `grep`: rich must not break such a line."""


def say(text: str, end: str = "\n") -> None:
    """Print on standard output. Exit with status 0 when the reader has enough (`| head`) or the terminal is closed.

    Half a surrogate pair, as in the YAML text "\\ud800", has no UTF-8, and is printed as an escape (valid in JSON).
    """
    encoding = sys.stdout.encoding or "utf-8"
    printable = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(printable, end=end, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python flushes again at exit
        if error.errno in {errno.EPIPE, errno.EIO}:
            raise SystemExit(0) from error
        raise Unavailable(f"standard output cannot be written: {error.strerror}; name another file") from error


def say_json(facts: Mapping[str, object]) -> None:
    """Print `facts` as a JSON object on standard output, with the version of sdstream first."""
    say_json_text(json.dumps({"version": __version__, **facts}, indent=2, ensure_ascii=False))


def say_json_text(text: str) -> None:
    """Print a JSON document on standard output, as JSON on a terminal of any encoding too.

    JSON's own escapes stand for characters that standard output lacks, and for characters that move a terminal.
    """
    say("".join(letter if letter == "\n" or _can_show(letter) else json.dumps(letter)[1:-1] for letter in text))


def _can_show(letter: str) -> bool:
    """Tell whether standard output has the letter, and the letter moves no terminal; some terminals have ASCII only."""
    try:
        letter.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return letter.isprintable()


def tell_line(text: str) -> None:
    """Print a line for people on standard error; on a terminal the status line makes room first."""
    from sdstream.log import tell

    tell(f"\r\x1b[K{text}" if sys.stderr.isatty() else text)


def columns(out: TextIO | None = None) -> int:
    """Return the width of the terminal behind `out`, by default standard output; very wide without a terminal."""
    return shutil.get_terminal_size((80, 24)).columns if (out or sys.stdout).isatty() else _WIDE


def rendered(content: "RenderableType", out: TextIO | None = None, *, wrap: bool = False) -> str:
    """Return `content` as laid out by rich for `out`, by default standard output.

    `wrap` breaks lines at the width of the terminal; without `wrap` a line to copy stays whole. The text has colours
    where `out` is a terminal and NO_COLOR is not set. Brackets are text, not markup.
    """
    from rich.console import Console

    text = StringIO()  # rich writes to its file even while capturing, and a terminal may have been closed
    terminal, width = (out or sys.stdout).isatty(), columns(out) if wrap else _WIDE
    console = Console(file=text, force_terminal=terminal, width=width, markup=False, emoji=False, highlight=False)
    console.print(content)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def styled(text: str, style: str) -> str:
    """Return `text` in a style of rich, such as `red`, where standard output shows colours."""
    from rich.text import Text

    return rendered(Text(text, style))
