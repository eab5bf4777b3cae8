"""Skips a test on a machine that lacks what the test needs."""

import pytest


def need(missing: str | None) -> None:
    """Skip the test if `missing` tells what this machine lacks; None means that nothing is missing."""
    if missing:
        pytest.skip(missing)
