"""The folders of the user are where each system has them."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from sdstream.errors import Unavailable
from sdstream.system.user_folders import cache_folder, state_folder

FOLDERS = [(state_folder, "XDG_STATE_HOME", ".local/state"), (cache_folder, "XDG_CACHE_HOME", ".cache")]


@pytest.mark.parametrize(("folder", "variable", "below_home"), FOLDERS)
def test_the_xdg_variable_goes_before_the_home(
    folder: Callable[[], Path], variable: str, below_home: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv(variable, "/chosen")
    assert folder() == Path("/chosen/sdstream")
    monkeypatch.delenv(variable)
    assert folder() == Path("/home/somebody", below_home, "sdstream")


@pytest.mark.parametrize(("folder", "variable", "below_home"), FOLDERS)
def test_a_user_without_a_home_is_told_what_to_set(
    folder: Callable[[], Path], variable: str, below_home: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("HOME", variable):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", _nobody)
    assert os.path.expanduser("~") == "~"
    with pytest.raises(Unavailable, match=f"set HOME, or {variable}"):
        folder()


def _nobody(number: int) -> None:
    raise KeyError(number)
