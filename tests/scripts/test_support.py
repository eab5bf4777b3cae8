"""The page of supported models is current, and each test that the page names exists."""

from pathlib import Path

import pytest

from scripts.support import ROWS, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_current():
    assert (ROOT / "docs" / "support.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("test", sorted({row[2] for row in ROWS}))
def test_the_test_of_a_row_exists(test: str):
    file, _, name = test.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
