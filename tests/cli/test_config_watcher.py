"""A saved configuration changes the show; a broken one, or a change of what is fixed, does not."""

from pathlib import Path

import pytest

from sdstream.cli.config_watcher import Watch
from sdstream.cli.run import remembering
from sdstream.config.load import load

TEXT = """
version: 1
canvas: {width: 320, height: 180}
source: {kind: testsrc}
engine: {kind: passthrough}
controls: {prompt: "PROMPT"}
sinks: [{kind: discard}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "show.yaml"
    path.write_text(TEXT.replace("PROMPT", "oil"))
    return path


def watch(file: Path, *overrides: str) -> Watch:
    return Watch(file, overrides, load(file, overrides))


def test_a_file_that_is_not_touched_is_no_news(file: Path) -> None:
    assert watch(file).news() is None


def test_saved_controls_are_news_once(file: Path) -> None:
    watching = watch(file)
    file.write_text(TEXT.replace("PROMPT", "watercolour"))
    assert watching.news().prompt == "watercolour"
    assert watching.news() is None


def test_an_editor_that_replaces_the_file_is_followed(file: Path) -> None:
    watching = watch(file)
    file.unlink()
    assert watching.news() is None
    other = file.with_suffix(".new")
    other.write_text(TEXT.replace("PROMPT", "watercolour"))
    other.rename(file)
    assert watching.news().prompt == "watercolour"


@pytest.mark.parametrize("text", ["", "version: 1\nsinks: [", TEXT.replace("prompt", "promt")])
def test_a_broken_file_changes_nothing_and_a_mended_one_does(file: Path, text: str) -> None:
    watching = watch(file)
    file.write_text(text)
    assert watching.news() is None
    file.write_text(TEXT.replace("PROMPT", "ink, and more"))
    assert watching.news().prompt == "ink, and more"


def test_what_is_fixed_for_a_run_stays_and_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watching = watch(file)
    file.write_text(TEXT.replace("PROMPT", "oil").replace("320", "640"))
    assert watching.news() is None
    assert "only controls change while on air" in "".join(capsys.readouterr())


def test_overrides_of_the_command_line_stay_in_force(file: Path) -> None:
    watching = watch(file, "controls.seed=7")
    file.write_text(TEXT.replace("PROMPT", "watercolour"))
    assert watching.news().seed == 7


def test_what_the_stabiliser_learns_has_a_place_of_the_users(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert remembering(load(file)).stabilise.state == Path("/somewhere/sdstream")
    named = load(file, ["stabilise.state=/elsewhere"])
    assert remembering(named) == named
