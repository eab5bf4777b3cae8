"""Messages of a MIDI controller, made by mido as a device would send them."""

from pathlib import Path

import mido
import pytest

from sdstream.control.surfaces.hands import Hands
from sdstream.control.surfaces.midi import LEARN_WITHIN, Midi
from sdstream.control.surfaces.midi_bindings import Bindings
from sdstream.controls import Controls
from sdstream.errors import Unavailable


class Desk:
    """A controller, the hands, and the controls in force."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "midi.json"
        self.controls = Controls()
        self.hands = Hands(0)
        self.midi = Midi(Bindings(self.path), self.hands, lambda: self.controls)
        self.now = 100.0

    def send(self, kind: str, **values: int) -> dict[str, object]:
        """Send a message; return the values that are due a second later, and bring the values into force."""
        self.midi.take(mido.Message(kind, **values), self.now)
        self.now += 1.0
        changes = self.hands.due(self.now).get("midi", {})
        data = self.controls.model_dump()
        for name, value in changes.items():
            section, _, rest = name.partition(".")
            data[section] = {**data[section], rest: value} if rest else value
        self.controls = Controls.model_validate(data)
        return changes


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_knob_is_learned_by_turning_and_kept(desk: Desk) -> None:
    assert desk.send("control_change", channel=0, control=7, value=64) == {}
    desk.midi.learn("guidance.scale", None, "", desk.now)
    assert desk.midi.learning == "guidance.scale"
    desk.send("control_change", channel=0, control=7, value=0)
    assert desk.midi.learning == ""
    assert desk.send("control_change", channel=0, control=7, value=127) == {"guidance.scale": 5.0}
    assert desk.send("control_change", channel=1, control=7, value=0) == {}
    again = Bindings(desk.path)
    assert [(str(one.place), one.control) for one in again.all] == [("knob 7 (channel 1)", "guidance.scale")]


def test_a_pad_switches_and_goes_to_the_next_choice(desk: Desk) -> None:
    desk.midi.learn("renoise", None, "", desk.now)
    assert desk.send("note_on", note=36, velocity=90) == {"renoise": False}
    assert desk.send("note_on", note=36, velocity=0) == {}
    assert desk.send("note_on", note=36, velocity=90) == {"renoise": True}
    desk.midi.learn("air", None, "", desk.now)
    assert [desk.send("note_on", note=37, velocity=1).get("air") for _ in range(4)] == [
        "bypass", "freeze", "black", "live",
    ]  # fmt: skip


def test_a_pad_goes_between_the_ends_of_a_number(desk: Desk) -> None:
    desk.midi.learn("loras.sketch", None, "", desk.now)
    found = [desk.send("note_on", note=1, velocity=9) for _ in range(3)]
    assert [change["loras.sketch"] for change in found] == [1.5, 0.0, 1.5]


def test_a_pad_with_a_value_sets_the_value(desk: Desk) -> None:
    desk.midi.learn("prompt", "ink wash", "", desk.now)
    assert desk.send("note_on", note=40, velocity=90) == {"prompt": "ink wash"}
    desk.midi.learn("air", "black", "", desk.now)
    assert desk.send("control_change", control=50, value=127) == {"air": "black"}
    assert desk.send("control_change", control=50, value=0) == {}


def test_a_pad_brings_a_preset_and_the_wheel_turns(desk: Desk) -> None:
    desk.midi.learn("", None, "night", desk.now)
    desk.send("note_on", note=41, velocity=90)
    assert desk.hands.preset_due(desk.now) == ("night", 0.0)
    desk.midi.learn("steadiness", None, "", desk.now)
    desk.send("pitchwheel", pitch=-8192)
    assert desk.send("pitchwheel", pitch=8191) == {"steadiness": 1.0}


def test_the_clock_of_the_controller_is_the_beat(desk: Desk) -> None:
    desk.midi.take(mido.Message("start"), 0.0)
    for pulse in range(49):
        desk.midi.take(mido.Message("clock"), pulse / 48)
    assert desk.hands.beat.per_minute == pytest.approx(120)


def test_learning_ends_by_itself(desk: Desk) -> None:
    desk.midi.learn("seed_blend", None, "", desk.now)
    desk.now += LEARN_WITHIN + 1
    desk.send("note_on", note=36, velocity=90)
    assert desk.midi.bindings.all == []


@pytest.mark.parametrize(
    ("control", "value", "reason"),
    [("promt", None, "no control"), ("prompt", None, "as the value of a pad"), ("air", "off", "takes one of live")],
)
def test_what_cannot_be_learned_is_refused(desk: Desk, control: str, value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        desk.midi.learn(control, value, "", desk.now)


def test_a_control_and_a_preset_are_forgotten(desk: Desk) -> None:
    for note in (1, 2):
        desk.midi.learn("renoise", None, "", desk.now)
        desk.send("note_on", note=note, velocity=9)
    assert desk.midi.bindings.forget("renoise") == 2
    assert desk.send("note_on", note=1, velocity=9) == {}
    assert Bindings(desk.path).all == []


@pytest.mark.parametrize("text", ["", "[]", '{"bindings": [1]}', '{"bindings": [{"place": {"x": 1}}]}', "\x00"])
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "midi.json"
    path.write_text(text)
    with pytest.raises(Unavailable, match="holds no MIDI bindings"):
        Bindings(path)
    assert path.read_text() == text
