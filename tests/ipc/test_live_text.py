"""Texts and controls in shared memory: whole, versioned, and none the worse for a writer that was killed."""

import json
import multiprocessing

import pytest

from sdstream.controls import Controls
from sdstream.errors import Bug
from sdstream.ipc.live_controls import LiveControls
from sdstream.ipc.live_text import LiveText

SPAWN = multiprocessing.get_context("spawn")


def write_for_ever(cell: LiveText) -> None:
    number = 0
    while True:
        number += 1
        cell.set(json.dumps([number] * (1 + number % 500)))


def test_a_text_is_there_with_its_version_from_the_beginning() -> None:
    cell = LiveText(100, "wörter")
    assert cell.get() == (1, "wörter")
    assert cell.set("x") == 2
    assert cell.get() == (2, "x")


def test_a_text_that_did_not_change_is_the_same_object() -> None:
    cell = LiveText(100, "words of " + "some length")
    assert cell.get()[1] is cell.get()[1]


def test_a_text_that_is_too_long_is_refused_and_the_old_one_stays() -> None:
    cell = LiveText(3, "abc")
    with pytest.raises(Bug, match="4 bytes does not fit into 3"):
        cell.set("éé")
    assert cell.get() == (1, "abc")


def test_a_writer_that_was_killed_at_work_is_followed_by_one_that_is_read() -> None:
    cell = LiveText(100, "old")
    cell.get()
    cell._marks[0] += 1  # where a killed writer leaves it
    assert cell.get() == (1, "old")
    version = cell.set("new")
    assert cell.get() == (version, "new")
    assert version > 1


def test_texts_of_another_process_are_never_torn() -> None:
    cell = LiveText(4096, "[0]")
    writer = SPAWN.Process(target=write_for_ever, args=(cell,), daemon=True)
    writer.start()
    seen: list[tuple[int, int]] = []
    while len({number for _, number in seen}) < 200:
        version, text = cell.get()
        (number,) = set(json.loads(text))
        seen.append((version, number))
    writer.kill()
    writer.join()
    assert seen == sorted(seen)
    assert {version - number for version, number in seen} == {1}


def test_readers_see_the_version_of_the_controls_that_they_have() -> None:
    live = LiveControls(Controls())
    assert (live.get(), live.version) == (Controls(), 1)
    assert live.set(Controls(prompt="ink")) == 2
    assert live.version == 1
    assert (live.get().prompt, live.version) == ("ink", 2)
    assert live.get() is live.get()
