"""The mailbox: the newest picture wins, no picture is torn, and a killed process stops no other process."""

import json
import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing.sharedctypes import RawArray
from pathlib import Path

import numpy as np
import pytest

from sdstream.errors import Bug
from sdstream.frame import Frame
from sdstream.ipc.mailbox import Mailbox
from tests.harness.mailbox_killer import SHAPE, SIZE, picture, read_for_ever, write_for_ever
from tests.harness.wait import until

SPAWN = multiprocessing.get_context("spawn")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def box():
    box = Mailbox(SIZE, readers=2)
    yield box
    box.close()


def test_a_reader_gets_the_picture_and_its_times(box: Mailbox) -> None:
    box.writer().put(picture(7))
    got = box.reader(0).take()
    assert (got.seq, got.pts, got.captured) == (7, 7 / 30, 7 / 30 + 1)
    assert (got.pixels == 7).all()
    assert got.pixels.shape == SHAPE


def test_an_empty_mailbox_gives_nothing_after_the_time_out(box: Mailbox) -> None:
    began = time.monotonic()
    assert box.reader(0).take(0.05) is None
    assert time.monotonic() - began >= 0.05


def test_the_newest_picture_wins_and_the_others_are_counted(box: Mailbox) -> None:
    writer, reader = box.writer(), box.reader(0)
    writer.put(picture(1))
    reader.take()
    for seq in range(2, 1000):
        writer.put(picture(seq))
    assert reader.take().seq == 999
    assert reader.dropped == 997


def test_a_picture_is_given_once_to_each_reader(box: Mailbox) -> None:
    box.writer().put(picture(1))
    first, second = box.reader(0), box.reader(1)
    assert first.take().seq == second.take().seq == 1
    assert first.take() is None


def test_a_held_picture_is_not_overwritten(box: Mailbox) -> None:
    writer, reader = box.writer(), box.reader(0)
    writer.put(picture(1))
    held = reader.take()
    for seq in range(2, 50):
        writer.put(picture(seq))
    assert (held.pixels == 1).all()


def test_pictures_of_another_size_fit_if_they_are_smaller(box: Mailbox) -> None:
    box.writer().put(Frame(np.full((10, 6, 3), 9, np.uint8), 1, 0.0, 0.0))
    assert box.reader(0).take().pixels.shape == (10, 6, 3)


def test_a_picture_that_does_not_fit_is_refused(box: Mailbox) -> None:
    with pytest.raises(Bug, match="does not fit"):
        box.writer().put(Frame(np.zeros((64, 64, 3), np.uint8), 1, 0.0, 0.0))


def test_a_reader_cannot_write_into_the_picture(box: Mailbox) -> None:
    box.writer().put(picture(1))
    with pytest.raises(ValueError, match="read-only"):
        box.reader(0).take().pixels[0] = 1


def test_a_new_writer_goes_on_where_the_last_one_stopped(box: Mailbox) -> None:
    reader = box.reader(0)
    box.writer().put(picture(1))
    reader.take()
    box.writer().put(picture(2))
    assert reader.take().seq == 2


@pytest.mark.slow
def test_a_thousand_random_kills_tear_no_picture_and_stop_nobody() -> None:
    """In a small process of its own, which forks its victims: a thousand interpreter starts would take minutes."""
    command = [sys.executable, "-m", "tests.harness.mailbox_killer", "1000"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True).stdout
    found = json.loads(told)
    assert found["torn"] == [0, 0]
    assert all(late > early for early, late in zip(found["before"], found["after"], strict=True))


def test_readers_and_writers_work_in_spawned_processes_and_leave_no_memory_behind() -> None:
    shm = "/dev/shm"
    before = set(os.listdir(shm)) if os.path.isdir(shm) else set()
    box, marks = Mailbox(SIZE, readers=1), RawArray("q", 2)
    writer = SPAWN.Process(target=write_for_ever, args=(box.writer(),), daemon=True)
    reader = SPAWN.Process(target=read_for_ever, args=(box.reader(0), marks), daemon=True)
    writer.start()
    reader.start()
    until(lambda: marks[0] >= 10, 20, "ten pictures are read")
    for process in (writer, reader):
        process.kill()
        process.join()
    box.close()
    assert marks[1] == 0
    assert (set(os.listdir(shm)) if os.path.isdir(shm) else set()) <= before
