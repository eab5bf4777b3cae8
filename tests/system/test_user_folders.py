"""The folders of the user on each system."""

from pathlib import Path

import pytest

from sdstream.system.user_folders import cache_folder, state_folder

FOLDERS = [(state_folder, "XDG_STATE_HOME", ".local/state"), (cache_folder, "XDG_CACHE_HOME", ".cache")]


@pytest.mark.parametrize(("folder", "variable", "below_home"), FOLDERS)
def test_the_xdg_variable_goes_before_windows_and_windows_before_the_home(
    folder, variable: str, below_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("USERPROFILE", "/home/somebody")
    monkeypatch.setenv(variable, "/chosen")
    monkeypatch.setenv("LOCALAPPDATA", "/windows")
    assert folder() == Path("/chosen/sdstream")
    monkeypatch.delenv(variable)
    assert folder() == Path("/windows/sdstream")
    monkeypatch.delenv("LOCALAPPDATA")
    assert folder() == Path("/home/somebody", below_home, "sdstream")
