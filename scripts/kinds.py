"""Writes the table of sources, engines and sinks from the tables of kinds: `python -m scripts.kinds`."""

from pathlib import Path

from scripts.marked_table import MarkedTable
from sdstream.cli.families import FAMILIES

PAGE = MarkedTable(
    Path(__file__).parents[1] / "docs" / "guide.md", "<!-- kinds: written by scripts/docs -->\n", "<!-- /kinds -->\n"
)


def table() -> str:
    """Return the table in Markdown, a row a kind."""
    rows = [
        f"| `{family}` | `{kind.name}` | {kind.summary} | {f'`{kind.extra}`' if kind.extra else ''} |\n"
        for family, kinds in FAMILIES.items()
        for kind in kinds
    ]
    return "".join(["| in the file | `kind` | what it is | extra |\n| --- | --- | --- | --- |\n", *rows])


if __name__ == "__main__":
    PAGE.write(table())
