"""Puts a generated table between two marks of a page."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MarkedTable:
    """A page, and the marks around the table."""

    page: Path
    begin: str
    """The mark before the table, with the end of the line."""
    end: str

    def written(self, table: str) -> str:
        """Return the page with `table` between the marks."""
        before, _, rest = self._text.partition(self.begin)
        _, _, after = rest.partition(self.end)
        return f"{before}{self.begin}{table}{self.end}{after}"

    def write(self, table: str) -> None:
        """Write the page with `table` between the marks."""
        self.page.write_text(self.written(table), encoding="utf-8")

    @property
    def _text(self) -> str:
        return self.page.read_text(encoding="utf-8")
