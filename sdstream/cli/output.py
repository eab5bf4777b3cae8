"""How results look: JSON for machines, and a touch of colour for people at a terminal."""

import errno
import json
import os
import sys


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


def coloured(text: str, colour: int) -> str:
    """Return `text` in an ANSI colour (31 red, 32 green, 33 yellow) where standard output shows it."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
