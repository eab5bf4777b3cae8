"""The sink stage, run in the process of the test."""

import random
import time
from functools import partial
from itertools import pairwise

import numpy as np

from sdstream.audio.delay import Delay
from sdstream.audio.mixer import Mixer
from sdstream.audio.ring import AudioRing
from sdstream.config.schema import Air, Canvas
from sdstream.config.sinks import DiscardSinkSettings, FfmpegSinkSettings
from sdstream.controls import Controls
from sdstream.frame import Frame
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Histogram
from sdstream.ipc.live_controls import LiveControls
from sdstream.ipc.mailbox import Mailbox
from sdstream.stages.sink import COUNTERS, SinkPorts, run_sink

CANVAS = Canvas(width=64, height=48, fps=30)


def test_a_process_that_died_before_its_first_picture_left_a_file_of_ours(tmp_path):
    settings = FfmpegSinkSettings(kind="ffmpeg", url=str(tmp_path / "show.mkv"))
    live, camera = Mailbox(64 * 48 * 3, 1), Mailbox(64 * 48 * 3, 1)
    context = Context.alone(*COUNTERS)
    context.stop()
    for _ in range(2):
        inputs = SinkPorts(
            live.reader(0),
            camera.reader(0),
            Mixer(Delay(AudioRing())),
            Histogram(),
            time.monotonic(),
            LiveControls(Controls()),
        )
        run_sink(context, settings, CANVAS, Air(), inputs)
    live.close()
    camera.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["show-2.mkv", "show.mkv"]


class Simulated:
    """Time that passes only in sleep, and pictures that come meanwhile: at `arrivals`, seconds since its start."""

    def __init__(self, monkeypatch, writer, arrivals):
        self.began = self.now = 1000.0
        self._writer, self._arrivals = writer, arrivals
        self._calls, self._seq = [], 0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def at(self, seconds, call):
        self._calls.append((self.began + seconds, call))

    def _sleep(self, seconds):
        end = self.now + seconds
        while self._arrivals and self.began + self._arrivals[0] <= end:
            self.now = self.began + self._arrivals.pop(0)
            self._seq += 1
            self._writer.put(Frame(np.zeros((48, 64, 3), np.uint8), self._seq, self.now, self.now))
        self.now = end
        for call in [call for when, call in self._calls if when <= end]:
            call()
        self._calls = [(when, call) for when, call in self._calls if when > end]


def test_a_source_in_step_with_the_clock_is_soon_shown_picture_by_picture(monkeypatch):
    chance = random.Random(0)
    live, camera = Mailbox(64 * 48 * 3, 1), Mailbox(64 * 48 * 3, 1)
    context, seen = Context.alone(*COUNTERS), []
    simulated = Simulated(monkeypatch, live.writer(), [n / 30 + chance.uniform(-0.004, 0.004) for n in range(1, 600)])
    for second in (1, 9, 19):
        simulated.at(second, lambda: seen.append(context.counters.as_dict()))
    simulated.at(19, context.stop)
    inputs = SinkPorts(
        live.reader(0),
        camera.reader(0),
        Mixer(Delay(AudioRing())),
        Histogram(),
        simulated.began,
        LiveControls(Controls()),
    )
    run_sink(context, DiscardSinkSettings(kind="discard"), CANVAS, Air(), inputs)
    live.close()
    camera.close()
    early, settled, last = ([counters[name] for name in ("held", "dropped")] for counters in seen)
    assert min(early) > 0
    assert settled == last


def test_an_override_is_obeyed_with_the_next_picture(monkeypatch):
    live, camera = Mailbox(64 * 48 * 3, 1), Mailbox(64 * 48 * 3, 1)
    context, controls, seen = Context.alone(*COUNTERS), LiveControls(Controls()), []
    simulated = Simulated(monkeypatch, live.writer(), [n / 30 for n in range(1, 300)])
    for second, air in enumerate(("black", "freeze", "live"), 2):
        simulated.at(second, partial(controls.set, Controls(air=air)))
        simulated.at(second, lambda: seen.append(context.counters.as_dict()))
    simulated.at(5, lambda: seen.append(context.counters.as_dict()))
    simulated.at(5, context.stop)
    ring = AudioRing()
    inputs = SinkPorts(live.reader(0), camera.reader(0), Mixer(Delay(ring)), Histogram(), simulated.began, controls)
    run_sink(context, DiscardSinkSettings(kind="discard"), CANVAS, Air(), inputs)
    live.close()
    camera.close()
    counts = [[int(counters[name]) for name in ("black", "frozen", "sent")] for counters in seen]
    steps = [[after - before for before, after in zip(*pair, strict=True)] for pair in pairwise(counts)]
    assert steps[0][:2] == [steps[0][2], 0]
    assert steps[1][:2] == [0, steps[1][2]]
    assert steps[2][:2] == [0, 0]
    assert counts[0][:2] == [0, 0]
