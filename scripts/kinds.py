"""Writes the table of sources, engines and sinks from the tables of kinds: `python -m scripts.kinds`."""

from pathlib import Path

from sdstream.cli.families import FAMILIES

PAGE = Path(__file__).parents[1] / "docs" / "guide.md"
BEGIN, END = "<!-- kinds: written by scripts/docs -->\n", "<!-- /kinds -->\n"


def table() -> str:
    """Return the table in Markdown, a row a kind."""
    rows = [
        f"| `{family}` | `{kind.name}` | {kind.summary} | {f'`{kind.extra}`' if kind.extra else ''} |\n"
        for family, kinds in FAMILIES.items()
        for kind in kinds
    ]
    return "".join(["| in the file | `kind` | what it is | extra |\n| --- | --- | --- | --- |\n", *rows])


def written(page: str) -> str:
    """Return `page` with the present table between the marks `BEGIN` and `END`."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
