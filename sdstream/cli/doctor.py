"""`sdstream doctor`: lists the parts found and the parts missing, each with the command to get the part."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream.cli.options import Json, Overrides
from sdstream.cli.output import rendered, say, say_json

if TYPE_CHECKING:
    from sdstream.system.finding import Finding

_STYLES = {"ok": "green", "note": "yellow", "missing": "red"}


def doctor(
    config: Annotated[
        Path | None, typer.Argument(help="The YAML file of a show: ask for what this show needs.", show_default=False)
    ] = None,
    overrides: Overrides = None,
    json: Json = False,
) -> None:
    """Name each missing part, with the command to get the part; exit 69 when a necessary part is missing."""
    from sdstream.errors import Unavailable

    findings = []
    for finding in _findings() if config is None else _findings_for(config, overrides or []):
        findings.append(finding)
        if not json:
            say(_lines(finding))
    if json:
        say_json({"findings": [asdict(finding) for finding in findings]})
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(Unavailable.exit_code)


def _findings() -> Iterator["Finding"]:
    """Check the machine part by part; a check may take seconds."""
    from sdstream.cli import doctor_machine
    from sdstream.cli.families import checks
    from sdstream.system.kinds import resolve

    yield doctor_machine.python()
    for check in checks():
        yield resolve(check)()
    yield doctor_machine.shared_memory()
    yield doctor_machine.disk()


def _findings_for(config: Path, overrides: list[str]) -> Iterator["Finding"]:
    """Check what the show of a configuration needs. Raises ConfigError with every mistake."""
    from sdstream.cli import doctor_machine
    from sdstream.cli.doctor_show import show_findings
    from sdstream.config.load import load

    settings = load(config, overrides)
    yield doctor_machine.python()
    yield from show_findings(settings)
    yield doctor_machine.shared_memory_for(settings)


def _lines(finding: "Finding") -> str:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1, 0, 0))
    for width in (7, 13, None):
        table.add_column(min_width=width)
    table.add_row(Text(finding.state, _STYLES[finding.state]), finding.name, finding.found)
    fix = f"\n{'→':>23} {finding.fix}" if finding.fix else ""  # outside the table: a line to copy is never broken
    return rendered(table, wrap=True) + fix
