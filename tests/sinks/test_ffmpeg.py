"""The FFmpeg sink writes files: colours, sound, times, and failures."""

import select
import socket
from contextlib import ExitStack
from fractions import Fraction

import av
import numpy as np
import pytest

from sdstream.air.pacer import samples_in
from sdstream.config.outputs import FfmpegSinkSettings
from sdstream.config.schema import Canvas
from sdstream.errors import ConfigError, Lost, Unavailable
from sdstream.frame import SAMPLE_RATE, Frame
from sdstream.sinks import STAMPED_EARLY, Due, encoders
from sdstream.sinks.context import SinkContext
from sdstream.sinks.ffmpeg import FfmpegSink
from tests.harness import bars
from tests.harness.recording import Recording

CANVAS = Canvas(width=320, height=180, fps=30)
KEY = "live_1_s3cret"


def settings(url, **more):
    return FfmpegSinkSettings(kind="ffmpeg", url=str(url), **{"preset": "superfast", "bitrate": "800k", **more})


def record(path, canvas=CANVAS, pictures=130, **more):
    """Send bars and a tone to a file, and return the file."""
    phase = 0
    with FfmpegSink(settings(path, **more), SinkContext(canvas)) as sink:
        for number in range(pictures):
            count = samples_in(number, canvas.rate, SAMPLE_RATE)
            at = np.arange(phase, phase + count)
            phase += count
            tone = 0.25 * np.sin(at * 2 * np.pi * bars.TONE / SAMPLE_RATE)
            picture = Frame(bars.draw(canvas.width, canvas.height, number), number, 0.0, 0.0)
            sink.send(picture, np.stack([tone, tone], 1).astype(np.float32), Due(number))
    return path


def send(sink, numbers, loud=None):
    """Send bars with these numbers and silence; the sound of the number `loud` is loud."""
    for number in numbers:
        sound = np.full((1600, 2), 0.5 if number == loud else 0.0, np.float32)
        sink.send(Frame(bars.draw(320, 180, number), number, 0.0, 0.0), sound, Due(number))


@pytest.fixture(scope="module", params=["show.flv", "show.mp4"])
def show(request, tmp_path_factory):
    return record(tmp_path_factory.mktemp("out") / request.param)


def test_the_colours_in_the_file_are_those_that_were_sent(show):
    assert all(bars.error(picture) <= 3 for picture in Recording.read(show).pictures)


def test_key_frames_are_exactly_two_seconds_apart(show):
    assert np.diff(Recording.read(show).key_times) == pytest.approx([2.0, 2.0], abs=1e-3)


def test_the_sound_in_the_file_is_the_tone_that_was_sent(show):
    recording = Recording.read(show)
    assert recording.loudest() == pytest.approx(bars.TONE, abs=2)
    assert recording.sound.size / recording.sample_rate == pytest.approx(
        130 / 30 - STAMPED_EARLY / SAMPLE_RATE, abs=0.05
    )


def test_the_stream_is_tagged_bt709_limited_and_high_profile(show):
    with av.open(str(show)) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert context.profile == "High"


@pytest.mark.parametrize(("fps", "interval"), [(30.0, 2.0), (29.97, 2.0), (25.0, 1.0), (60.0, 0.5)])
def test_a_picture_s_time_is_its_number(tmp_path, fps, interval):
    canvas = Canvas(width=64, height=64, fps=fps)
    path = record(tmp_path / "show.mp4", canvas, 75, keyframe_interval=interval)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
        times = [packet.pts * packet.time_base for packet in packets]
        keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
    assert [round((time - times[0]) * canvas.rate) for time in times] == list(range(75))
    assert max(abs(time - times[0] - number / canvas.rate) for number, time in enumerate(times)) < Fraction(1, 1000)
    assert keys == list(range(0, 75, round(interval * canvas.rate)))


@pytest.mark.parametrize("fps", [23.976, 25.0, 29.97, 30.0, 50.0, 60.0])
def test_a_tick_sends_a_single_picture(fps):
    canvas = Canvas(width=64, height=64, fps=fps)
    with ExitStack() as open_until_the_sink_is_closed:
        server = open_until_the_sink_is_closed.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with FfmpegSink(settings(url, format="flv"), SinkContext(canvas)) as sink:
            taker = open_until_the_sink_is_closed.enter_context(server.accept()[0])
            flv, here = b"", []
            for number in range(80):
                silence = np.zeros((samples_in(number, canvas.rate, SAMPLE_RATE), 2), np.float32)
                sink.send(Frame(bars.draw(64, 64, number), number, 0.0, 0.0), silence, Due(number))
                while select.select([taker], [], [], 0.02)[0]:
                    flv += taker.recv(1 << 20)
                here.append(video_tags(flv))
    assert set(np.diff(here[20:])) == {1}


def video_tags(flv):
    """Count the pictures, and the one configuration, in a file that is still being written."""
    place, found = 13, 0  # behind the header and the first back pointer
    while place + 11 <= len(flv):
        found += flv[place] == 9
        place += 11 + int.from_bytes(flv[place + 1 : place + 4]) + 4
    return found


def test_the_bit_rate_is_constant_even_for_a_still_picture(tmp_path):
    path = record(tmp_path / "show.mp4", bitrate="600k")
    with av.open(str(path)) as container:
        bits = sum(packet.size for packet in container.demux(video=0)) * 8
    assert bits / (130 / 30) == pytest.approx(600_000, rel=0.1)


def test_an_existing_file_is_not_overwritten(tmp_path):
    path = tmp_path / "show.mp4"
    path.write_text("precious")
    record(path, pictures=40)
    assert path.read_text() == "precious"
    assert Recording.read(tmp_path / "show-2.mp4").pictures


def test_a_folder_that_is_not_there_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="No such file"):
        FfmpegSink(settings(tmp_path / "no" / "show.mp4"), SinkContext(CANVAS)).__enter__()


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("show.zzz", {}, "no output format for .*show.zzz"),
        ("show.mp4", {"format": "nope"}, "no output format nope"),
        ("show.webm", {}, "'webm' format does not support 'libx264'"),
        ("show.mp4", {"preset": "nope"}, "refuses these settings"),
        ("show.mp4", {"audio_bitrate": 1}, "refuses these settings"),
    ],
)
def test_settings_that_ffmpeg_refuses_are_a_config_error(tmp_path, name, more, said):
    with pytest.raises(ConfigError, match=said):
        FfmpegSink(settings(tmp_path / name, **more), SinkContext(CANVAS)).__enter__()


@pytest.mark.parametrize("scheme", ["rtmp", "rtmps"])
def test_a_server_that_is_not_there_is_lost_and_its_key_is_not_told(scheme):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refuses, and nobody else can take it
        url = f"{scheme}://127.0.0.1:{held.getsockname()[1]}/app/{KEY}"
        with pytest.raises(Lost, match="refused") as caught:
            FfmpegSink(settings(url), SinkContext(CANVAS)).__enter__()
    assert KEY not in repr(caught.getrepr(chain=True))


@pytest.mark.skipif(int(av.__version__.split(".")[0]) < 19, reason="PyAV 18 heeds no timeout: the supervisor does")
def test_a_server_that_never_answers_is_lost_after_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtmp://127.0.0.1:{silent.getsockname()[1]}/app/{KEY}"
        with pytest.raises(Lost, match="cannot be opened"):
            FfmpegSink(settings(url, timeout=0.5), SinkContext(CANVAS)).__enter__()


def test_closing_twice_is_harmless(tmp_path):
    sink = FfmpegSink(settings(tmp_path / "show.mp4"), SinkContext(CANVAS))
    with sink:
        send(sink, range(10))
    sink.__exit__(None, None, None)
    assert Recording.read(tmp_path / "show.mp4").pictures


def test_sound_is_stamped_as_much_earlier_as_it_comes_later_than_its_picture(tmp_path):
    with FfmpegSink(settings(tmp_path / "show.mkv"), SinkContext(CANVAS)) as sink:
        send(sink, range(60), loud=30)
    with av.open(str(tmp_path / "show.mkv")) as container:
        blocks = [(frame.time, frame.to_ndarray()[0]) for frame in container.decode(audio=0)]
    loud = [
        time + np.flatnonzero(np.abs(block) > 0.25)[0] / SAMPLE_RATE for time, block in blocks if block.max() > 0.25
    ]
    assert loud[0] == pytest.approx(1.0 - STAMPED_EARLY / SAMPLE_RATE, abs=0.005)


def test_auto_takes_an_encoder_that_has_encoded_a_picture():
    assert encoders.failure(encoders.choose(settings("a.mkv"))) is None


def test_an_encoder_that_does_not_exist_is_unavailable_and_says_why():
    wish = settings("a.mkv").model_copy(update={"encoder": "h264_nope"})
    with pytest.raises(Unavailable, match=r"h264_nope: .+; expected libx264"):
        encoders.choose(wish)


def test_pictures_that_the_clock_left_out_are_a_gap_in_time_and_silence(tmp_path):
    left_out = 45
    with FfmpegSink(settings(tmp_path / "show.mkv"), SinkContext(CANVAS)) as sink:
        send(sink, [*range(30), *range(30 + left_out, 120)], loud=90)
    with av.open(str(tmp_path / "show.mkv")) as container:
        times = [frame.time for frame in container.decode(video=0)]
        container.seek(0)
        loud = [frame.time for frame in container.decode(audio=0) if np.abs(frame.to_ndarray()[0]).max() > 0.3]
    assert times[30] - times[29] == pytest.approx((left_out + 1) / 30, abs=2e-3)
    assert loud[0] - times[0] == pytest.approx(90 / 30 - STAMPED_EARLY / SAMPLE_RATE, abs=0.03)


def test_after_a_restart_a_file_goes_on_under_the_next_number(tmp_path):
    (tmp_path / "show.mkv").write_bytes(b"what the first process wrote")
    for _ in range(2):
        with FfmpegSink(settings(tmp_path / "show.mkv"), SinkContext(CANVAS, reopened=True)) as sink:
            send(sink, [0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["show-2.mkv", "show-3.mkv", "show.mkv"]
    assert (tmp_path / "show.mkv").read_bytes() == b"what the first process wrote"


def test_an_output_that_cannot_be_opened_leaves_no_empty_file(tmp_path):
    with pytest.raises(ConfigError):
        FfmpegSink(settings(tmp_path / "show.mkv", preset="no-such-preset"), SinkContext(CANVAS)).__enter__()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Unavailable, match=r"away/show\.mkv cannot be opened: .*expected an existing folder"):
        FfmpegSink(settings(tmp_path / "away" / "show.mkv"), SinkContext(CANVAS)).__enter__()


def test_a_sink_begins_anew_after_a_long_sleep(tmp_path):
    """An hour of silence would be 1.4 GB of samples at once."""
    with FfmpegSink(settings(tmp_path / "show.mkv"), SinkContext(CANVAS)) as sink:
        picture, sound = Frame(bars.draw(320, 180, 0), 0, 0.0, 0.0), np.zeros((1600, 2), np.float32)
        sink.send(picture, sound, Due(0))
        with pytest.raises(Lost, match="held up for 3600 s"):
            sink.send(picture, sound, Due(3600 * 30))
