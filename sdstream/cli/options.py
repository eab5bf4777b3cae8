"""Arguments and options of several verbs."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Argument(help="The YAML file of the run.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, e.g. canvas.fps=60. May be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log more.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Log errors only.")]
LogJson = Annotated[bool, typer.Option("--log-json", help="Log as JSON, one object a line.")]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--for",
        metavar="SECONDS",
        min=0.1,
        help="End the run so many seconds after the start of the show: engine loaded, outputs open.",
        show_default=False,
    ),
]


def sized(model: str) -> tuple[str, int, int]:
    """Split NAME@WIDTHxHEIGHT; the size is 512x512 by default. Raises BadParameter."""
    name, _, size = model.partition("@")
    width, by, height = (size or "512x512").partition("x")
    if not (name and by and width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"--model {model!r}: expected a model and a size, such as mini@384x384")
    return name, int(width), int(height)
