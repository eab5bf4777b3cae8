"""The command line, called as its entry script does it."""

import sys

import pytest

from sdstream.cli import main
from tests.cli.command_line import Answer, Sdstream


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
