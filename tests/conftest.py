"""What every test may ask for."""

import os
from pathlib import Path

import pytest

_CLIPS = Path(os.environ.get("SDSTREAM_CLIPS", Path(__file__).parents[2] / "shared" / "clips"))


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real footage; the test is skipped where there is none."""
    if not _CLIPS.is_dir():
        pytest.skip(f"no clips at {_CLIPS}: set SDSTREAM_CLIPS to a folder that has them")
    return _CLIPS
