"""A sink's process, in this one."""

import time

from sdstream.audio.delay import Delay
from sdstream.audio_ring import AudioRing
from sdstream.config.schema import Air, Canvas
from sdstream.config.sinks import FfmpegSinkSettings
from sdstream.controls import Controls
from sdstream.live_controls import LiveControls
from sdstream.mailbox import Mailbox
from sdstream.sinks.body import COUNTERS, SinkInputs, run_sink
from sdstream.stage import Context
from sdstream.stats import Histogram

CANVAS = Canvas(width=64, height=48, fps=30)


def test_a_process_that_died_before_its_first_picture_left_a_file_of_ours(tmp_path):
    settings = FfmpegSinkSettings(kind="ffmpeg", url=str(tmp_path / "show.mkv"))
    live, camera = Mailbox(64 * 48 * 3, 1), Mailbox(64 * 48 * 3, 1)
    context = Context.alone(*COUNTERS)
    context.stop()
    for _ in range(2):
        inputs = SinkInputs(
            live.reader(0),
            camera.reader(0),
            Delay(AudioRing()),
            Histogram(),
            time.monotonic(),
            LiveControls(Controls()),
        )
        run_sink(context, settings, CANVAS, Air(), inputs)
    live.close()
    camera.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["show-2.mkv", "show.mkv"]
