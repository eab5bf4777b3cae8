"""Errors of other libraries, in one line."""

import pytest

from sdstream.errors import reason


@pytest.mark.parametrize(
    ("error", "short", "named"),
    [
        (ValueError("conv_in.weight is missing"), "conv_in.weight is missing", "ValueError: conv_in.weight is missing"),
        (ValueError("\nfirst\nsecond"), "first", "ValueError: first"),
        (KeyError("dtype"), "'dtype'", "KeyError: 'dtype'"),
        (AssertionError(), "AssertionError", "AssertionError"),
        (RuntimeError("  \n "), "RuntimeError", "RuntimeError"),
    ],
)
def test_an_error_of_another_library_is_told_in_one_line(error: Exception, short: str, named: str) -> None:
    assert (reason(error), reason(error, named=True)) == (short, named)
