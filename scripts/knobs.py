"""Writes the table of the controls for OSC and MIDI into docs/surfaces.md: `python -m scripts.knobs`."""

from pathlib import Path

from sdstream.controls.knobs import Knob, all_knobs

PAGE = Path(__file__).parents[1] / "docs" / "surfaces.md"
BEGIN, END = "<!-- knobs -->\n", "<!-- /knobs -->\n"
_NAMED = {name: ["NAME"] for name in ("loras", "controlnets", "ip_adapters")}


def table() -> str:
    """Return the table in Markdown, a row a control."""
    rows = [_row(knob) for knob in all_knobs(_NAMED)]
    return "".join(["| address | takes | a knob's way | glides | example |\n| --- | --- | --- | --- | --- |\n", *rows])


def _row(knob: Knob) -> str:
    way = f"{knob.usual[0]:g} to {knob.usual[1]:g}" if knob.usual else ""
    glide = f"{knob.glide:g} s" if knob.glide else ""
    return f"| `{knob.address}` | {knob.takes} | {way} | {glide} | `{knob.address} {knob.example}` |\n"


def written(page: str) -> str:
    """Return `page` with the present table between the marks `BEGIN` and `END`."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
