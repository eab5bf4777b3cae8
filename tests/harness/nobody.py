"""A user without permissions: tests run as root too, and root may read everything."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_NOBODY = 65534


@contextmanager
def nobody() -> Iterator[None]:
    """Run the block as a user who may not enter the folders of this user; skip where that is impossible."""
    if not hasattr(os, "seteuid") or os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
