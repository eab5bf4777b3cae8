"""The file of presets."""

from pathlib import Path

import pytest

from sdstream.control.presets import LARGEST, MOST, Presets
from sdstream.errors import Unavailable


def test_presets_come_back_in_the_order_of_saving(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "new" / "presets.json")
    for name in ("b", "a", "c"):
        presets.save(name, {"prompt": name})
    presets.delete("a")
    assert Presets(tmp_path / "new" / "presets.json").all == {"b": {"prompt": "b"}, "c": {"prompt": "c"}}


def test_presets_above_the_limits_are_refused(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "presets.json")
    with pytest.raises(ValueError, match="bytes at most"):
        presets.save("large", {"prompt": "x" * LARGEST})
    presets._presets = {str(number): {} for number in range(MOST)}
    with pytest.raises(ValueError, match="256 presets"):
        presets.save("one more", {})


@pytest.mark.parametrize("text", ["", "[]", '{"presets": 3}', '{"presets": {"a": 3}}', "{" * 100, "\x00"])
def test_a_damaged_file_is_told_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "presets.json"
    path.write_text(text)
    with pytest.raises(Unavailable, match="holds no presets"):
        Presets(path)
    assert path.read_text() == text


def test_a_file_that_cannot_be_written_keeps_the_presets_in_memory(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "presets.json")
    presets.save("a", {})
    (tmp_path / "presets.json").unlink()
    (tmp_path / "presets.json").mkdir()
    with pytest.raises(Unavailable, match="cannot write"):
        presets.save("b", {})
    assert presets.all == {"a": {}}
