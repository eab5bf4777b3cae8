"""The script of the first hour says what the machine lacks, and its steps are those of the README."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "scripts/first_hour_steps"


def test_a_machine_without_debootstrap_is_told_and_nothing_is_made(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname", "realpath", "id"):
        (tmp_path / "bin" / tool).symlink_to(Path("/usr/bin", tool))
    command = ["/bin/bash", str(ROOT / "scripts/first_hour"), str(tmp_path / "bare")]
    answer = subprocess.run(command, env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True, check=False)
    assert answer.returncode == 77
    assert ("needs root" if os.getuid() else "needs debootstrap") in answer.stderr
    assert not (tmp_path / "bare").exists()


def test_a_step_that_differs_fails_and_shows_the_output(tmp_path: Path):
    text = STEPS.read_text(encoding="utf-8").partition("\ninstall() {")[0]
    text += "\nstep right 3 ^one bash -c 'echo one; exit 3'\nstep wrong 0 ^two echo three\nexit $failed\n"
    (tmp_path / "steps").write_text(text)
    answer = subprocess.run(["bash", str(tmp_path / "steps")], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert re.findall(r"^(ok|WRONG) +\d+ s  (\w+)", answer.stdout, re.MULTILINE) == [
        ("ok", "right"),
        ("WRONG", "wrong"),
    ]
    assert "      | three" in answer.stdout


def test_the_steps_are_those_of_the_readme():
    page, steps = (ROOT / "README.md").read_text(encoding="utf-8"), STEPS.read_text(encoding="utf-8")
    for command in ("make demo", "sdstream init show.yaml", "sdstream check show.yaml", "sdstream doctor show.yaml"):
        assert command in page
        assert command in steps
    assert "sdstream run show.yaml" in page
    assert "sdstream run show.yaml --for" in steps


def test_a_user_without_sudo_is_told_which_packages_are_missing(tmp_path: Path):
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for tool, body in {"id": "echo 1000", "sudo": "exit 1", "dpkg-query": "exit 1"}.items():
        (bin_ / tool).write_text(f"#!/bin/sh\n{body}\n")
        (bin_ / tool).chmod(0o755)
    environment = {"PATH": f"{bin_}:/usr/bin:/bin"}
    command = ["bash", str(ROOT / "scripts/apt"), "a", "b"]
    answer = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr == "packages are missing, and sudo asks for a password; run as root: apt-get install a b\n"
