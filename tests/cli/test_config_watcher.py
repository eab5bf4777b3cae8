"""A saved configuration changes the controls on air; a broken file or a change of a fixed setting does not."""

import random
from pathlib import Path

import pytest

from sdstream.cli.config_watcher import ConfigWatcher
from sdstream.cli.run import with_state_folder
from sdstream.config.load import load
from sdstream.config.schema import Config
from sdstream.supervisor.control_desk import Desk

TEXT = """
version: 1
canvas: {width: 320, height: 180}
source: {kind: testsrc}
engine: {kind: diffusion, loras: {sketch: {path: s.safetensors}}}
sinks: [{kind: discard}]
controls:
  prompt: oil
"""


class Run:
    """A file, the watcher, and the desk."""

    def __init__(self, path: Path, *overrides: str, more: str = "") -> None:
        self.path = path
        path.write_text(TEXT + more)
        self.watcher = ConfigWatcher(path, overrides)
        self.desk = Desk(load(path, overrides))
        self.changes: list[Config] = []

    def save(self, text: str) -> None:
        """Save the file, and let the watcher poll until the save counts."""
        self.path.write_text(text)
        self.poll()

    def poll(self) -> None:
        """Poll as often as a save needs to count."""
        for _ in range(2):
            self.watcher.poll(self.desk, self.changes.append)

    @property
    def refused(self) -> dict[str, str]:
        return {refusal.name: refusal.reason for refusal in self.desk.refused}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "show.yaml"


def test_a_file_that_is_not_touched_changes_nothing(file: Path) -> None:
    run = Run(file)
    run.poll()
    assert run.desk.version == 1


def test_saved_controls_are_taken_over_once(file: Path) -> None:
    run = Run(file)
    run.save(TEXT.replace("oil", "watercolour"))
    assert (run.desk.controls.prompt, run.desk.version) == ("watercolour", 2)
    run.desk.patch({"prompt": "ink"}, "chat")
    run.poll()
    assert run.desk.controls.prompt == "ink"


def test_an_editor_that_replaces_the_file_is_followed(file: Path) -> None:
    run = Run(file)
    file.unlink()
    run.poll()
    assert run.desk.version == 1
    other = file.with_suffix(".new")
    other.write_text(TEXT.replace("oil", "watercolour"))
    other.rename(file)
    run.poll()
    assert run.desk.controls.prompt == "watercolour"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version: 1\nsinks: [",
        TEXT.replace("oil", "ink").replace("320", "wide"),
        TEXT.replace("  prompt: oil\n", ""),
        TEXT.replace("\n  prompt: oil\n", " oil\n"),
        TEXT.replace("sinks", "sink").replace("oil", "ink"),
        TEXT + "controls: {air: bypass}\n",
        TEXT.replace("oil", "ink") + "canvas: {}\n",
        TEXT.replace("[{kind: discard}]", "[{kind: ndi}, {kind: ndi}]") + "  seed: x\n",
    ],
)
def test_a_file_that_is_broken_as_a_whole_changes_nothing_and_a_mended_one_does(
    file: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(file)
    run.save(text)
    assert (run.desk.version, list(run.refused)) == (1, ["configuration"])
    assert "configuration not taken over" in "".join(capsys.readouterr())
    run.save(TEXT.replace("oil", "ink, and more"))
    assert (run.desk.controls.prompt, run.refused) == ("ink, and more", {})


def test_a_setting_besides_the_controls_is_passed_on_with_the_controls(file: Path) -> None:
    run = Run(file)
    run.save(TEXT.replace("320", "640").replace("oil", "ink"))
    assert run.desk.controls.prompt == "ink"
    assert [config.canvas.width for config in run.changes] == [640]


def test_a_setting_is_passed_on_although_the_file_has_a_control_mistake(file: Path) -> None:
    run = Run(file, "controls.seed=7", more="  seed: x\n")
    run.save(TEXT + "  seed: x\n  renoise: false\n")
    assert run.changes == []
    run.save(TEXT.replace("320", "640") + "  seed: x\n")
    assert [config.canvas.width for config in run.changes] == [640]


def test_a_file_caught_in_the_middle_of_writing_changes_nothing(file: Path) -> None:
    run = Run(file)
    half, whole = TEXT.partition("controls:")[0], TEXT.replace("oil", "ink")
    for text in (half, whole):
        file.write_text(text)
        run.watcher.poll(run.desk, run.changes.append)
        assert run.desk.version == 1
    run.watcher.poll(run.desk, run.changes.append)
    assert (run.desk.version, run.desk.controls.prompt) == (2, "ink")


def test_a_save_leaves_alone_what_another_hand_set(file: Path) -> None:
    run = Run(file)
    run.desk.patch({"prompt": "ink", "guidance.scale": 3}, "chat")
    run.save(TEXT + "  guidance: {delta: 0.1}\n")
    controls = run.desk.controls
    assert (controls.prompt, controls.guidance.scale, controls.guidance.delta) == ("ink", 3, 0.1)


def test_an_override_of_the_command_line_holds_until_the_file_changes_that_name(file: Path) -> None:
    run = Run(file, "controls.seed=7", more="  seed: 1\n")
    run.save(TEXT.replace("oil", "ink") + "  seed: 1\n")
    assert (run.desk.controls.prompt, run.desk.controls.seed) == ("ink", 7)
    run.save(TEXT.replace("oil", "ink") + "  seed: 3\n")
    assert run.desk.controls.seed == 3


def test_other_overrides_stay_in_force_and_are_no_change(file: Path) -> None:
    run = Run(file, "canvas.width=640")
    run.save(TEXT.replace("oil", "ink"))
    assert run.desk.controls.prompt == "ink"
    assert run.changes == []


def test_a_control_that_is_removed_from_the_file_goes_back_to_its_default(file: Path) -> None:
    run = Run(file, more="  guidance: {scale: 3, delta: 1}\n  loras: {sketch: 1}\n")
    run.save(TEXT + "  guidance: {delta: 1}\n")
    controls = run.desk.controls
    assert (controls.guidance.scale, controls.guidance.delta, controls.loras) == (1.2, 1, {})


def test_without_its_section_the_file_says_nothing_about_controls(file: Path) -> None:
    run = Run(file)
    run.save(TEXT.replace("controls:\n  prompt: oil\n", ""))
    assert run.desk.controls.prompt == "thick oil painting"


def test_a_bad_lora_name_does_not_refuse_the_prompt_of_the_same_save(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(file)
    run.save(TEXT.replace("oil", "ink") + "  loras: {sketch: 0.5, sketsch: 1}\n")
    assert (run.desk.controls.prompt, run.desk.controls.loras) == ("ink", {"sketch": 0.5})
    place = f"{file}:9:24"
    assert run.refused["loras.sketsch"].startswith(f"{place}: the engine has no such name")
    assert place in "".join(capsys.readouterr())
    run.save(TEXT.replace("oil", "ink") + "  loras: {sketch: 0.5}\n")
    assert run.refused == {}


@pytest.mark.parametrize(
    ("line", "name", "reason"),
    [
        ("promt: x", "promt", ':9:3: unknown key; did you mean "prompt"?'),
        ("seed:", "seed", ": should be a valid integer, not empty"),
        ("prompt: y", "prompt", ":9:3: given twice"),
        ("steps: [45, 32]", "steps", ":9:10: steps [45, 32] must increase"),
        ("cues: [{at: 1, prompt: x, pro: y}]", "cues", ":9:29: controls.cues.0.pro: unknown key"),
        ("negative_prompt: '${HOME}'", "negative_prompt", ":9:20: ${HOME}: the environment is read for secrets only"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_other_names_change(
    file: Path, line: str, name: str, reason: str
) -> None:
    run = Run(file)
    run.save(TEXT.replace("oil", "ink") + f"  {line}\n  renoise: false\n")
    assert not run.desk.controls.renoise
    assert run.refused.keys() == {name}
    assert reason in run.refused[name].removeprefix(str(file))
    assert run.desk.refused[0].by == "file"


def test_a_control_given_twice_is_refused_although_the_first_value_is_the_old_value(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(file, more="  air: live\n")
    twice = "  air: live\n  air: black\n"
    run.save(TEXT + twice)
    assert run.refused == {"air": f"{file}:10:3: given twice; the first is in line 9"}
    assert "given twice" in "".join(capsys.readouterr())
    run.save(TEXT.replace("oil", "ink") + twice)
    assert "given twice" not in "".join(capsys.readouterr())
    assert (run.refused.keys(), run.desk.controls.prompt) == ({"air"}, "ink")
    run.save(TEXT.replace("oil", "ink") + "  air: live\n")
    assert (run.refused, run.desk.controls.air) == ({}, "live")


def test_a_refused_name_is_not_told_again_at_the_next_save(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(file)
    run.save(TEXT + "  promt: x\n")
    assert "unknown key" in "".join(capsys.readouterr())
    run.save(TEXT.replace("oil", "ink") + "  promt: x\n")
    assert "unknown key" not in "".join(capsys.readouterr())
    assert run.refused.keys() == {"promt"}


def test_a_refused_name_that_is_gone_from_the_file_is_refused_no_longer(file: Path) -> None:
    run = Run(file)
    run.save(TEXT + "  region: {mask: no.png}\n  promt: x\n")
    assert run.refused.keys() == {"region.mask", "promt"}
    run.desk.patch({"region": None}, "chat")
    run.save(TEXT)
    assert not [one for one in run.desk.refused if one.by == "file"]


def test_a_value_from_before_a_refused_save_does_not_outlive_its_line(file: Path) -> None:
    run = Run(file, more="  guidance: {scale: 2}\n")
    run.save(TEXT + "  guidance: [5]\n")
    assert (run.refused.keys(), run.desk.controls.guidance.scale) == ({"guidance"}, 2)
    run.save(TEXT + "  guidance: {mode: full}\n")
    guidance = run.desk.controls.guidance
    assert (run.refused, guidance.mode, guidance.scale) == ({}, "full", 1.2)


def test_a_change_that_contradicts_another_hand_is_refused_with_its_place(file: Path) -> None:
    run = Run(file)
    run.desk.patch({"cues": [{"at": 30, "prompt": "ink"}]}, "chat")
    run.save(TEXT + "  cues_loop: 20\n")
    assert run.refused["cues_loop"] == f"{file}:9:3: cues_loop 20.0 must come after the last cue, at 30.0"


def test_a_save_before_the_first_look_is_not_missed(file: Path) -> None:
    file.write_text(TEXT)
    watcher = ConfigWatcher(file)
    desk = Desk(load(file))
    file.write_text(TEXT.replace("oil", "ink"))
    for _ in range(2):
        watcher.poll(desk, lambda config: None)
    assert desk.controls.prompt == "ink"


def test_the_memory_of_the_stabiliser_lies_where_the_user_says(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(TEXT)
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert with_state_folder(load(file)).stabilise.state == Path("/somewhere/sdstream")
    named = load(file, ["stabilise.state=/elsewhere"])
    assert with_state_folder(named) == named


LINES = [
    "prompt: ink", "prompt: [bad", "prompt: {}", "air: black", "air: blue", "guidance: {scale: 2}", "guidance: 5",
    "guidance: {mode: full, scale: x}", "guidance:", "loras: {sketch: 1}", "loras: {sketsch: 1, v1.5: 2}", "seed: 1",
    "seed:", "cues: [{at: 30, prompt: x}]", "cues: [{at: 1, prompt: x, prompt: y}]", "cues_loop: 20", "foo: {}",
    "steps: [45, 32]", "region: {mask: no.png}", '"\\ud800": 1', '"a.b.": "${HOME}"', "? [x] : y", "- 1", "\t: 1",
]  # fmt: skip
"""Lines of controls, right and wrong."""


def edited(rng: random.Random) -> str:
    """Return the file with other controls, and now and then cut, with an odd character or with a part twice."""
    text = TEXT + "".join(f"  {line}\n" for line in rng.choices(LINES, k=rng.randrange(4)))
    at = rng.randrange(len(text))
    return rng.choice([text, text, text, text[:at], text[:at] + rng.choice("{[:#\0é\n") + text[at:], text + text[at:]])


def test_random_edits_of_the_file_raise_nothing_and_leave_controls_that_the_stages_can_read(file: Path) -> None:
    run, rng = Run(file), random.Random(1)
    changes = [{"prompt": "ink"}, {"air": "black"}, {"guidance": {"scale": 3}}, {"cues_loop": 9}, {"loras": None}]
    for _ in range(1_000):
        run.save(edited(rng))
        run.desk.patch(rng.choice(changes), "chat")
        assert run.desk.live.get() == run.desk.controls
    run.save(TEXT.replace("oil", "the last"))
    assert (run.desk.controls.prompt, [one for one in run.desk.refused if one.by == "file"]) == ("the last", [])
