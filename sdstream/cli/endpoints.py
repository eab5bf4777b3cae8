"""Lays out the endpoints for `sources` and `sinks`."""

from collections.abc import Mapping, Sequence
from json import dumps
from typing import TYPE_CHECKING

from sdstream.cli.output import rendered
from sdstream.redact import shown

if TYPE_CHECKING:
    from sdstream.system.endpoint import Endpoint


def listed(endpoints: "Sequence[Endpoint]", before: str) -> str:
    """Return the endpoints as a table: label, address, and `before` with the settings, to copy; the state below."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for style in ("bold", "", ""):
        table.add_column(style=style)
    for endpoint in endpoints:
        table.add_row(shown(endpoint.label), shown(endpoint.address), f"{before} {in_yaml(endpoint.settings)}")
        if endpoint.state:
            table.add_row("", "", Text.assemble((shown(endpoint.state), "dim")))
    return rendered(table)


def in_yaml(settings: Mapping[str, object]) -> str:
    """Return settings as one line of YAML, to copy; the escapes of a terminal become escapes of YAML."""
    return "{" + ", ".join(f"{key}: {shown(dumps(value, ensure_ascii=False))}" for key, value in settings.items()) + "}"
