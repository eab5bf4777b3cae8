"""The table of docs/surfaces.md is what scripts/knobs.py writes."""

from scripts.knobs import PAGE, table


def test_the_table_of_knobs_is_current():
    assert PAGE.written(table()) == PAGE.page.read_text(encoding="utf-8"), "not current: run python -m scripts.knobs"
