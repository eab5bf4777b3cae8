"""Writes the table of the controls for OSC and MIDI into docs/surfaces.md: `python -m scripts.knobs`."""

from pathlib import Path

from scripts.marked_table import MarkedTable
from sdstream.controls.knobs import Knob, all_knobs

PAGE = MarkedTable(Path(__file__).parents[1] / "docs" / "surfaces.md", "<!-- knobs -->\n", "<!-- /knobs -->\n")
_NAMED = {name: ["NAME"] for name in ("loras", "controlnets", "ip_adapters")}


def table() -> str:
    """Return the table in Markdown, a row a control."""
    rows = [_row(knob) for knob in all_knobs(_NAMED)]
    return "".join(["| address | takes | a knob's way | glides | example |\n| --- | --- | --- | --- | --- |\n", *rows])


def _row(knob: Knob) -> str:
    way = f"{knob.usual[0]:g} to {knob.usual[1]:g}" if knob.usual else ""
    glide = f"{knob.glide:g} s" if knob.glide else ""
    return f"| `{knob.address}` | {knob.takes} | {way} | {glide} | `{knob.address} {knob.example}` |\n"


if __name__ == "__main__":
    PAGE.write(table())
