"""Writes the manual page docs/sdstream.1 from the verbs and their options: `python -m scripts.man`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup, TyperOption
from typer.main import get_command

from sdstream.cli.app import app
from sdstream.cli.bench import tree

PAGE = Path(__file__).parents[1] / "docs" / "sdstream.1"
_FILES = """.SH FILES
.TP
.I ~/.cache/sdstream
Compiled networks, made again when deleted ($XDG_CACHE_HOME).
.TP
.I ~/.local/state/sdstream
What a run leaves for the next run ($XDG_STATE_HOME).
.SH ENVIRONMENT
.TP
.B NO_COLOR
No colours.
.PP
Secrets of a configuration may come from variables of any name, as in key: "${SDSTREAM_KEY}".
"""


def page() -> str:
    """Return the page in the language of man(7)."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    verbs = [block for path, verb in _verbs(root, "sdstream") for block in _verb(path, verb)]
    head = ['.TH SDSTREAM 1 "" sdstream "User Commands"', ".SH NAME", rf"sdstream \- {_text(root.help or '')}"]
    usage = [".SH SYNOPSIS", ".B sdstream", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]...", ".SH COMMANDS"]
    status = [".SH EXIT STATUS", _text((root.epilog or "").removeprefix("Exit status: "))]
    return "\n".join([*head, *usage, *verbs, *status]) + "\n" + _FILES


def _verbs(group: TyperGroup, path: str) -> Iterator[tuple[str, Any]]:
    """Return all verbs with their names, depth first."""
    for name, verb in group.commands.items():
        below = get_command(tree()) if name == "bench" and path == "sdstream" else verb
        if isinstance(below, TyperGroup):
            yield from _verbs(below, f"{path} {name}")
        else:
            yield f"{path} {name}", below


def _verb(path: str, verb: Any) -> Iterator[str]:
    pieces = verb.collect_usage_pieces(typer.Context(verb))
    yield f".SS {_text(' '.join([path, *pieces]))}"
    yield _text(verb.help or "")
    for parameter in verb.params:
        record = parameter.get_help_record(typer.Context(verb))
        if record is not None and isinstance(parameter, TyperOption):
            yield from (".TP", rf".B {_text(record[0])}", _text(record[1]) or r"\&")


def _text(text: str) -> str:
    """Return text on a single line, with the marks of man(7) escaped."""
    plain = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
