"""The command line, called as its entry script does it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from sdstream.cli import main


@dataclass(frozen=True)
class Answer:
    """What one command left behind."""

    status: int
    out: str
    err: str


Sdstream = Callable[..., Answer]


@pytest.fixture
def sdstream(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sdstream:
    """Run one command in this process."""

    def call(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["sdstream", *arguments])
        with pytest.raises(SystemExit) as ending:
            main()
        out, err = capsys.readouterr()
        return Answer(int(ending.value.code or 0), out, err)

    return call
