"""The bundled clip at another size, and a file that is streamed as it is."""

from pathlib import Path

import av
import psutil
import pytest

from sdstream.clip import CLIP
from sdstream.clip.footage import scaled
from sdstream.clip.publisher import publisher
from tests.parts.show import KEY, Show, free_port


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("clip") / "small.mp4"
    scaled(target, 320, 180, 30)
    return target


def test_it_comes_at_the_size_and_rate_asked_for_at_its_own_speed_with_its_sound(small: Path):
    with av.open(str(CLIP)) as clip, av.open(str(small)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (320, 180, 30)
        length = float(clip.duration / av.time_base)
        assert float(video.duration * video.time_base) == pytest.approx(length, abs=0.1)
        assert float(audio.duration * audio.time_base) == pytest.approx(length, abs=0.1)
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video)]
    assert len(pictures) == pytest.approx(30 * length, abs=2)
    assert len({picture.tobytes() for picture in pictures}) > 0.6 * len(pictures)


def first_seconds(file: Path, seconds: float, target: Path) -> Path:
    with av.open(str(file)) as whole, av.open(str(target), "w") as part:
        copies = {stream.index: part.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None and packet.dts * packet.time_base < seconds:
                packet.stream = copies[packet.stream.index]
                part.mux(packet)
    return target


def test_it_is_streamed_again_and_again_in_one_connection_to_whoever_comes_later(small: Path, tmp_path: Path):
    small = first_seconds(small, 2.0, tmp_path / "short.mp4")
    port = free_port()
    source = {"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY}
    with publisher(small, f"rtmp://127.0.0.1:{port}/live/{KEY}"):
        (child,) = [p for p in psutil.Process().children() if "sdstream.clip.publisher" in p.cmdline()]
        assert not [word for word in child.cmdline() if KEY in word]
        with Show(source, {"kind": "discard"}) as show:
            show.wait(lambda report: report.source.frames > 135, 20)  # the file has 60
            report = show.report
    assert report.source.reopens == 0
    assert not child.is_running()
