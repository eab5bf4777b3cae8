"""How results look: JSON for machines, and a touch of colour for people at a terminal."""

import json
import os
import sys


def say_json(value: object) -> None:
    """Print `value` as JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def coloured(text: str, colour: int) -> str:
    """Return `text` in an ANSI colour (31 red, 32 green, 33 yellow) where standard output shows it."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
