"""Kills the readers and the writer of one mailbox at random, and counts the pictures and the torn pictures.

Run as `python -m tests.harness.mailbox_killer KILLS`. It forks, so it must be small and have no threads.
"""

import json
import multiprocessing
import random
import sys
import time
from multiprocessing.sharedctypes import RawArray

import numpy as np

from sdstream.frame import Frame
from sdstream.ipc.mailbox import Mailbox, MailboxReader, MailboxWriter

SHAPE = (36, 64, 3)
SIZE = 36 * 64 * 3


def picture(seq: int) -> Frame:
    return Frame(np.full(SHAPE, seq % 251, np.uint8), seq, seq / 30, seq / 30 + 1)


def write_for_ever(writer: MailboxWriter) -> None:
    seq = 0
    while True:
        seq += 1
        writer.put(picture(seq))


def read_for_ever(reader: MailboxReader, marks: RawArray) -> None:
    """Count pictures, and those of them that are torn."""
    while True:
        got = reader.take(1.0)
        if got is not None:
            marks[0] += 1
            marks[1] += bool((got.pixels != got.seq % 251).any())


def kill(times: int) -> dict[str, list[int]]:
    fork = multiprocessing.get_context("fork")
    box, dice = Mailbox(SIZE, readers=2), random.Random(1)
    marks = [RawArray("q", 2) for _ in range(2)]
    jobs = [(write_for_ever, box.writer()), *((read_for_ever, box.reader(i), marks[i]) for i in range(2))]

    def start(job: int) -> multiprocessing.process.BaseProcess:
        body, *arguments = jobs[job]
        process = fork.Process(target=body, args=arguments, daemon=True)
        process.start()
        return process

    running = [start(job) for job in range(3)]
    for _ in range(times):
        time.sleep(dice.random() * 0.01)
        victim = dice.randrange(3)
        running[victim].kill()
        running[victim].join()
        running[victim] = start(victim)
    before = [mark[0] for mark in marks]
    time.sleep(0.5)
    found = {"before": before, "after": [mark[0] for mark in marks], "torn": [mark[1] for mark in marks]}
    for process in running:
        process.kill()
        process.join()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(kill(int(sys.argv[1]))))
