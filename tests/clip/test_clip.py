"""The bundled clip at another size, and a file that is streamed as it is."""

import multiprocessing
from itertools import pairwise
from pathlib import Path

import av
import psutil
import pytest

from sdstream.clip import CLIP
from sdstream.clip.footage import write_scaled
from sdstream.clip.publisher import publisher, stream
from sdstream.log import LogChoice
from tests.harness.pipeline_run import KEY, PipelineRun, free_port


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("clip") / "small.mp4"
    write_scaled(target, 320, 180, 30)
    return target


def test_a_clip_comes_at_the_requested_size_and_rate_at_its_own_speed_with_its_sound(small: Path):
    with av.open(str(CLIP)) as clip, av.open(str(small)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (320, 180, 30)
        length = float(clip.duration / av.time_base)
        assert float(video.duration * video.time_base) == pytest.approx(length, abs=0.1)
        assert float(audio.duration * audio.time_base) == pytest.approx(length, abs=0.1)
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video)]
    assert len(pictures) == pytest.approx(30 * length, abs=2)
    assert len({picture.tobytes() for picture in pictures}) > 0.6 * len(pictures)


def test_a_clip_has_a_key_frame_every_two_seconds_and_says_its_colours(small: Path):
    with av.open(str(small)) as container:
        video = container.streams.video[0]
        codec = video.codec_context
        assert (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range) == (1, 1, 1, 1)
        keys = [float(packet.pts * packet.time_base) for packet in container.demux(video) if packet.is_keyframe]
    assert keys == [0, 2, 4, 6, 8]


class Clock:
    """Time that passes by sleeping, until the connection ends."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > self.seconds:
            raise av.FFmpegError(32, "the connection ends")


@pytest.mark.parametrize(("kind", "longest"), [("video", 0.040), ("audio", 0.022)])
def test_the_clip_goes_round_without_a_gap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, longest: float):
    monkeypatch.setattr("sdstream.clip.publisher.time", Clock(35.0))
    with pytest.raises(av.FFmpegError, match="the connection ends"):
        stream(CLIP, str(tmp_path / "sent.flv"))
    with av.open(str(tmp_path / "sent.flv")) as sent:
        packets = [(p.stream.type, float(p.dts * p.time_base)) for p in sent.demux() if p.dts is not None]
    times = [at for its_kind, at in packets if its_kind == kind]
    steps = [after - before for before, after in pairwise(times)]
    assert times[-1] > 34.5
    assert 0 < min(steps) <= max(steps) <= longest + 1e-6


def first_seconds(file: Path, seconds: float, target: Path) -> Path:
    with av.open(str(file)) as whole, av.open(str(target), "w") as part:
        copies = {stream.index: part.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None and packet.dts * packet.time_base < seconds:
                packet.stream = copies[packet.stream.index]
                part.mux(packet)
    return target


@pytest.mark.slow
def test_a_clip_is_streamed_in_a_loop_over_one_connection_to_a_late_reader(small: Path, tmp_path: Path):
    small = first_seconds(small, 2.0, tmp_path / "short.mp4")
    port = free_port()
    source = {"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY}
    with publisher(small, f"rtmp://127.0.0.1:{port}/live/{KEY}", LogChoice("error")):
        (child,) = [psutil.Process(p.pid) for p in multiprocessing.active_children() if p.name == "publisher"]
        assert KEY not in str(child.cmdline())
        with PipelineRun(source, {"kind": "discard"}) as show:
            show.wait(lambda report: report.source.frames > 135, 20)  # the file has 60
            report = show.report
    assert report.source.reopens == 0
    assert not child.is_running()
