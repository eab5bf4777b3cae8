"""The page of faults is current, and every claim of the page has a test."""

import re

import pytest

from tests.fault.matrix import PAGE, ROOT, ROWS, page


def test_the_page_of_faults_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.fault.matrix"


@pytest.mark.parametrize("test", sorted({test for row in ROWS for test in row.tests}))
def test_each_claim_has_a_test(test: str):
    file, _, function = test.partition("::")
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {function or 'test_'}", text, re.MULTILINE)
