"""Strangers' bytes at each door: the corpus again, and mutants for some seconds where atheris is installed."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import rtmp_targets, targets

TARGETS = {**targets.TARGETS, **rtmp_targets.TARGETS}
SEEDS = {**targets.seeds(), **rtmp_targets.seeds()}

SECONDS = int(os.environ.get("SDSTREAM_FUZZ_SECONDS", "5"))
"""Seconds for each target."""

pytestmark = pytest.mark.fuzz


def corpus(name: str) -> list[Path]:
    return sorted((Path(__file__).parent / name).glob("*"))


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_the_corpus_is_answered(name: str):
    assert corpus(name)
    for data in [file.read_bytes() for file in corpus(name)] + SEEDS[name]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_corpus_is_small(name: str):
    assert sum(file.stat().st_size for file in corpus(name)) < 64 * 1024


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_mutants_of_the_corpus_are_answered(name: str):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install atheris (Python 3.11 to 3.13 on Linux)")
    command = [sys.executable, "-m", "tests.fuzz.mutants", name, str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 110, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    assert runs
    assert int(runs[1]) > len(corpus(name))
