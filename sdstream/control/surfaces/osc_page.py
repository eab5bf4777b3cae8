"""The page that lists the OSC addresses."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from fastapi.responses import HTMLResponse

from sdstream.config.surfaces import OscSettings

_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'"}
_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>sdstream: OSC</title>'
    '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/page/page.css">'
)
_COLUMNS = ("address", "takes", "example", "open", "does")
_RULES = (
    "The address of a control is the name, with / for each dot. A number outside the range becomes the nearest number "
    "in the range, and most numbers glide to the new value. /tap is a beat, and /preset NAME SECONDS brings a preset "
    "on air."
)


def osc_page(table: Iterable[Mapping[str, Any]], settings: OscSettings | None) -> HTMLResponse:
    """Return the page for the table of `/api/knobs`."""
    where = f"OSC listens on {settings.listen} (UDP)." if settings else "OSC is off: see control.osc."
    head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    body = "".join(_row(entry) for entry in table)
    return HTMLResponse(
        f'{_HEAD}<main class="table"><h1>OSC</h1><p>{escape(where)} {_RULES}</p>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></main></html>",
        headers=_HEADERS,
    )


def _row(entry: Mapping[str, Any]) -> str:
    example = f"{entry['address']} {entry['example']}"
    cells = (entry["address"], entry["takes"], example, "yes" if entry["osc"] else "no", entry["help"])
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
