"""HEVC and AV1 out: into files, through Enhanced RTMP to our own server, to players, and refused where nobody can."""

from typing import Any

import av
import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from structlog.testing import capture_logs

from sdstream.config.outputs import ENCODERS, FfmpegSinkSettings
from sdstream.config.schema import Canvas
from sdstream.config.sinks import AnySink
from sdstream.errors import Lost
from sdstream.frame import Frame
from sdstream.sinks import Due, encoders
from sdstream.sinks.context import SinkContext
from sdstream.sinks.encoded_show import EncodedShow
from sdstream.sinks.ffmpeg import FfmpegSink
from sdstream.sinks.registry import open_sink
from tests.harness import bars
from tests.harness.network import Network
from tests.harness.pipeline_run import PipelineRun
from tests.harness.recording import Recording
from tests.harness.wait import until
from tests.sinks.sink_process import sender
from tests.sources.rtmp_server.local_settings import KEY, listen
from tests.sources.source_stage import running_rtmp_server, running_source

CANVAS = Canvas(width=320, height=180, fps=30)


def sink(**settings: Any) -> Any:
    return TypeAdapter(AnySink).validate_python(settings)


def record(file, codec):
    """Send two and a third seconds of bars and silence to a file."""
    with open_sink(sink(kind="file", path=str(file), codec=codec, bitrate="800k"), SinkContext(CANVAS)) as opened:
        for number in range(70):
            picture = Frame(bars.draw(320, 180, number), number, 0.0, 0.0)
            opened.send(picture, np.zeros((1600, 2), np.float32), Due(number))
    return file


@pytest.mark.parametrize(
    ("codec", "ending", "tag"),
    [
        ("hevc", "mp4", "hvc1"),
        ("hevc", "mov", "hvc1"),
        ("hevc", "mkv", None),
        ("hevc", "flv", None),
        ("hevc", "ts", None),
        ("av1", "mp4", "av01"),
        ("av1", "mkv", None),
        ("av1", "flv", None),
    ],
)
def test_a_file_holds_the_codec_and_the_colours(tmp_path, codec, ending, tag):
    file = record(tmp_path / f"show.{ending}", codec)
    recording = Recording.read(file)
    assert recording.video_codec == {"hevc": "hevc", "av1": "libdav1d"}[codec]
    assert max(bars.error(picture) for picture in recording.pictures) <= 3
    assert np.diff(recording.key_times) == pytest.approx([2.0], abs=1e-3)
    with av.open(str(file)) as container:
        assert tag is None or container.streams.video[0].codec_tag == tag
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 70


@pytest.mark.parametrize(("codec", "decoder"), [("h264", "h264"), ("hevc", "hevc"), ("av1", "libdav1d")])
def test_a_server_with_enhanced_rtmp_gets_the_picture(codec, decoder):
    settings = listen(stall=1.0)
    wish = {"kind": "rtmp", "url": f"rtmp://{settings.listen}/live", "key": KEY, "codec": codec}
    with (
        running_rtmp_server(settings) as server,
        running_source(settings, server) as source,
        sender(Network(), 12.0, **wish),
    ):
        source.waits_for("live", 25)
        until(lambda: bars.error(source.next_frame().pixels) <= 6, 10, "the bars")
        until(lambda: source.count("sound_blocks") > 40, 10, "a second of sound")
        assert source.count("corrupt_packets") == 0


def test_players_get_hevc():
    serve = {"kind": "serve", "listen": "127.0.0.1:0", "codec": "hevc", "bitrate": "1M"}
    with PipelineRun({"kind": "testsrc"}, serve) as run:
        run.showing("live", "serve", 40)
        port = round(run.sink("serve").facts["port"])
        with av.open(f"http://127.0.0.1:{port}/show.ts", timeout=(10, 5)) as container:
            assert container.streams.video[0].codec_context.name == "hevc"
            frames = [frame for frame, _ in zip(container.decode(video=0), range(30), strict=False)]
    assert len(frames) == 30


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
@pytest.mark.parametrize("bitrate", [300_000, 1_500_000])
def test_the_bit_rate_is_kept(codec, bitrate):
    dice = np.random.default_rng(1)
    silence = np.zeros((1600, 2), np.float32)
    sizes, settings = [], FfmpegSinkSettings(kind="ffmpeg", url="a.mkv", codec=codec, bitrate=bitrate)
    show = EncodedShow(settings, CANVAS, "a.mkv")
    for number in range(130):
        coarse = dice.integers(0, 255, (23, 40, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)[:180]
        packets = show.encode(Frame(np.ascontiguousarray(coarse), number, 0.0, 0.0), silence, Due(number))
        sizes += [packet.size for packet in packets if packet.stream is show.video]
    show.rest()
    assert 120 <= len(sizes) <= 130  # a tenth of a second waits for the sound, and no picture in the encoder
    assert sum(sizes[30:120]) * 8 / 3 < 1.25 * bitrate


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "srt", "url": "srt://a:1", "codec": "av1"}, "carry no AV1"),
        ({"kind": "serve", "codec": "av1"}, "carries no AV1"),
        ({"kind": "ffmpeg", "url": "udp://a:1", "codec": "av1"}, "carry no AV1"),
        ({"kind": "ffmpeg", "url": "a.mkv", "format": "mpegts", "codec": "av1"}, "carry no AV1"),
        ({"kind": "ffmpeg", "url": "show.TS", "codec": "av1"}, "carry no AV1"),
        ({"kind": "ffmpeg", "url": "rtmp://a/live/k", "record": "show.mov", "codec": "av1"}, "carry no AV1"),
        ({"kind": "file", "path": "show.mov", "codec": "av1"}, "carry no AV1"),
        ({"kind": "twitch", "key": "k", "record": "show.ts", "codec": "av1"}, "carry no AV1"),
        ({"kind": "file", "path": "a.mkv", "encoder": "libx265"}, "`encoder: libx265` makes hevc, and `codec` is h264"),
        ({"kind": "file", "path": "a.mkv", "encoder": "libx264", "codec": "av1"}, "makes h264, and `codec` is av1"),
    ],
)
def test_what_no_receiver_can_take_is_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        sink(**settings)


@pytest.mark.parametrize(("codec", "warned"), [("h264", 0), ("hevc", 1), ("av1", 1)])
def test_twitch_is_warned_of_and_allowed(codec, warned, monkeypatch):
    def unreachable(*_):
        raise Lost("no network here")

    monkeypatch.setattr("sdstream.sinks.ffmpeg.reach", unreachable)
    opened = FfmpegSink(sink(kind="twitch", key="live_1", codec=codec), SinkContext(CANVAS))
    with capture_logs() as logs, pytest.raises(Lost):
        opened.__enter__()
    assert len([line for line in logs if "Twitch takes this codec" in line["event"]]) == warned


def test_every_codec_has_an_encoder_for_the_cpu():
    assert [encoders.failure(names[-1]) for names in ENCODERS.values()] == [None, None, None]
