"""The table of docs/surfaces.md is what scripts/knobs.py writes."""

from scripts.knobs import PAGE, written


def test_the_table_of_knobs_is_current():
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "not current: run python -m scripts.knobs"
