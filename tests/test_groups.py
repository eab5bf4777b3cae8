"""`scripts/test` runs every group of tests, and names the groups with faults at its end."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "test"
CHECKS, MEDIA, CLOCKLESS, KEEPING_TIME = "checks", "media", "--numprocesses", "--ignore"
STAND_IN = """#!/usr/bin/env bash
said="{name} $*"
[[ $* != *--ignore* ]] || cat "$SDSTREAM_SKIPPED" # as the summary of the last group does
[[ $* = prepare || $* = *--ignore* ]] || echo "SKIPPED [1] {name}: no machine for this"
[ "$*" = prepare ] || echo "$said"
for fault in $FAULTS; do case "$said" in *$fault*) exit 1;; esac; done
"""
"""Says what it was called by, and fails where FAULTS has a word of that."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of that script alone: what it calls are stand-ins."""
    for name, place in ((CHECKS, "scripts/check"), (MEDIA, "scripts/media"), ("pytest", ".venv/bin/python")):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(STAND_IN.format(name=name))
        file.chmod(0o755)
    shutil.copy(SCRIPT, tmp_path / "scripts")
    return tmp_path


def run(checkout: Path, faults: str, *options: str) -> tuple[int, str]:
    command = ["bash", "scripts/test", *options]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "FAULTS": faults}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("fault", [CHECKS, MEDIA, CLOCKLESS])
def test_a_fault_in_one_group_lets_the_others_run_and_is_told_last(checkout: Path, fault: str) -> None:
    status, said = run(checkout, fault)
    *lines, last = said.splitlines()
    assert status == 1
    assert all(any(group in line for line in lines) for group in (CHECKS, MEDIA, CLOCKLESS, KEEPING_TIME))
    assert KEEPING_TIME in lines[-1]
    assert all(room in last for room in (["tests/engine", "tests/sources"] if fault == CLOCKLESS else [fault]))


@pytest.mark.parametrize(("fault", "expected"), [("", 0), (KEEPING_TIME, 1)])
def test_the_last_group_speaks_for_itself(checkout: Path, fault: str, expected: int) -> None:
    status, said = run(checkout, fault)
    assert status == expected
    assert KEEPING_TIME in said.splitlines()[-1]


@pytest.mark.parametrize(("fault", "expected"), [("", 0), (MEDIA, 1), ("chosen", 1)])
def test_chosen_tests_run_whatever_the_media_tests_say(checkout: Path, fault: str, expected: int) -> None:
    status, said = run(checkout, fault, "chosen.py")
    assert status == expected
    assert "chosen.py" in said


def test_the_last_group_is_told_what_the_earlier_groups_skipped(checkout: Path) -> None:
    _, said = run(checkout, "")
    repeated = said[said.rindex(CLOCKLESS) :].splitlines()
    assert {"SKIPPED [1] media: no machine for this", "SKIPPED [1] pytest: no machine for this"} <= set(repeated)
