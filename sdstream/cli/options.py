"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Argument(help="The YAML file that describes the run.", show_default=False)]
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
    typer.Option("--for", metavar="SECONDS", min=0.1, help="End by itself after so long.", show_default=False),
]
