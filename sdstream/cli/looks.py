"""`sdstream looks`: lists the looks that a bundled model knows."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sdstream.cli.options import Json
from sdstream.cli.output import rendered, say, say_json


def looks(
    words: Annotated[
        list[str] | None, typer.Argument(help="Say which looks these words name.", show_default=False)
    ] = None,
    copy: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE.png", help="Copy the sheet of thumbnails to this file.")
    ] = None,
    json: Json = False,
) -> None:
    """List the looks of the bundled model, with further words for each look; or say which looks a prompt names."""
    from sdstream.config.looks import looks_of, sheet
    from sdstream.errors import Unavailable

    prompt = " ".join(words or ())
    known = looks_of("mini")
    if known is None:
        raise Unavailable("this copy of sdstream has no bundled model; install sdstream again")
    chosen = known.named_in(prompt) if prompt else list(known.looks)
    if copy is not None:
        _copy(copy)
    if json:
        facts = {"model": known.model, "fallback": known.fallback, "looks": [asdict(look) for look in chosen]}
        say_json({**facts, "remark": known.remark(prompt), "sheet": str(sheet() or "")})
    elif prompt and not chosen:
        say(known.remark(prompt))
    else:
        say(_table([(look.name, ", ".join(look.words)) for look in chosen]))
        if not prompt:
            say(f"the sheet of thumbnails: {copy or sheet() or 'not in this copy'}")


def _copy(target: Path) -> None:
    from sdstream.config.looks import sheet
    from sdstream.errors import Unavailable

    picture = sheet()
    if picture is None:
        raise Unavailable("this copy of sdstream has no sheet of thumbnails")
    if target.exists():
        raise Unavailable(f"{target} exists and is not overwritten; give the sheet another name")
    try:
        target.write_bytes(picture.read_bytes())
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror}; name a file in a folder of yours") from error


def _table(rows: list[tuple[str, str]]) -> str:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for name, words in rows:
        table.add_row(Text(name, "bold"), Text(words))
    return rendered(table, wrap=True)
