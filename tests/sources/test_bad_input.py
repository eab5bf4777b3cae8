"""Damaged and foreign files give the pictures that are left, or a clear error, and never a crash."""

import itertools
import random
import re
from fractions import Fraction

import av
import pytest

from sdstream.errors import Unavailable
from tests.sources.media import COUNT, flip_bits, make
from tests.sources.source_playback import play

FAST = {"realtime": False}


@pytest.fixture(scope="module")
def flv(tmp_path_factory):
    return make(tmp_path_factory.mktemp("flv") / "good.flv", count=30).read_bytes()


@pytest.fixture(scope="module")
def mpegts(tmp_path_factory):
    return make(tmp_path_factory.mktemp("ts") / "good.ts", count=30).read_bytes()


def written(folder, name, data):
    (folder / name).write_bytes(data)
    return folder / name


def ending(path, **more):
    """Play a file; return how the source was lost, and why the source was refused. One of the two is empty."""
    try:
        return play(path, **FAST, **more).loss, ""
    except Unavailable as error:
        return "", str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        random.Random(1).randbytes(20_000),
        bytes(20_000),
        b"\xff" * 20_000,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["empty", "random", "zeros", "ones", "http"],
)
def test_a_file_that_is_no_media_is_unavailable(tmp_path, data):
    with pytest.raises(Unavailable, match="cannot open"):
        play(written(tmp_path, "odd.flv", data), format="flv", **FAST)


def test_a_file_that_is_not_there_is_unavailable_and_named(tmp_path):
    with pytest.raises(Unavailable, match=r"nothing\.mp4: No such file"):
        play(tmp_path / "nothing.mp4")


def test_a_format_that_ffmpeg_has_not_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="no input format 'cinema'"):
        play(written(tmp_path, "a", b"a"), format="cinema")


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("gopherx://host/a", "a URL such as rtsp://, udp:// or https://"),
        ("srt://127.0.0.1:9000", "the av wheels have no SRT: write `kind: srt`"),
    ],
)
def test_a_protocol_that_ffmpeg_has_not_is_unavailable_with_a_protocol_to_use(url, hint, monkeypatch):
    def refuse(*_args, **_options):
        raise av.error.ProtocolNotFoundError(0, "Protocol not found")

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(Unavailable, match=re.escape(hint)):
        play(url)


@pytest.mark.parametrize("length", [9, 200, 5000])
def test_a_file_that_is_cut_short_gives_what_it_has_or_says_so(tmp_path, flv, length):
    loss, refusal = ending(written(tmp_path, "cut.flv", flv[:length]))
    assert loss or "cannot open" in refusal


def test_half_a_file_gives_half_its_pictures(tmp_path, flv):
    played = play(written(tmp_path, "half.flv", flv[: len(flv) // 2]), **FAST)
    assert 10 < len(played.frames) < 30
    assert played.numbers[:10] == list(range(10))
    assert played.loss == "ended"


def test_a_transport_stream_may_begin_in_the_middle_of_a_packet(tmp_path, mpegts):
    played = play(written(tmp_path, "middle.ts", mpegts[len(mpegts) // 3 + 57 :]), **FAST)
    assert len(played.frames) > 3


def test_two_transport_streams_in_a_row_are_both_played(tmp_path, mpegts):
    played = play(written(tmp_path, "twice.ts", mpegts + mpegts), **FAST)
    assert len(played.frames) > 50
    assert played.numbers.count(7) == 2


@pytest.mark.parametrize("kind", ["flv", "mpegts"])
@pytest.mark.parametrize("share", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits_cost_pictures_and_not_the_source(tmp_path, request, kind, share, seed):
    good = request.getfixturevalue(kind)
    head = 2000  # what opens the file: damage there is another case
    data = good[:head] + flip_bits(good[head:], share, seed)
    played = play(written(tmp_path, f"bits.{kind}", data), format=kind, **FAST)
    assert played.frames
    assert played.loss


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["flv", "mpegts"])
def test_heavy_damage_ends_in_a_clear_way(tmp_path, request, kind, seed):
    data = flip_bits(request.getfixturevalue(kind), 1e-2, seed)
    loss, refusal = ending(written(tmp_path, f"ruin.{kind}", data), format=kind)
    assert loss or "cannot open" in refusal or "no picture" in refusal


def test_sound_alone_is_lost_and_the_message_names_what_there_is(tmp_path):
    played = play(make(tmp_path / "radio.mp4", codec=None), **FAST)
    assert "no video track" in played.loss
    assert "audio (aac)" in played.loss


def test_a_cover_picture_is_no_video(tmp_path):
    path = tmp_path / "song.mp3"
    make(path, codec="mjpeg", form="yuvj420p", count=1, sounds=("libmp3lame",), container="mp3")
    assert "no video track" in play(path, **FAST).loss


FORMATS = [
    ("libx264", "yuv420p10le", "mkv"),
    ("libx264", "yuv444p", "mkv"),
    ("libx264", "yuv422p", "mp4"),
    ("libx264", "yuvj420p", "flv"),
    ("libx264", "gray", "mkv"),
    ("libx265", "yuv420p", "mp4"),
    ("prores_ks", "yuva444p10le", "mov"),
    ("libvpx-vp9", "yuv420p", "webm"),
    ("libsvtav1", "yuv420p", "mp4"),
    ("mjpeg", "yuvj422p", "avi"),
    ("mpeg4", "yuv420p", "mp4"),
    ("flv1", "yuv420p", "flv"),
    ("rawvideo", "bgr24", "avi"),
    ("ffv1", "bgr0", "mkv"),
    ("png", "rgba", "mov"),
    ("gif", "rgb8", "gif"),
    ("prores_ks", "yuv422p10le", "mov"),
]


@pytest.mark.parametrize(("codec", "form", "container"), FORMATS)
def test_any_codec_and_pixel_format_gives_every_picture(tmp_path, codec, form, container):
    played = play(make(tmp_path / f"a.{container}", codec=codec, form=form, sounds=()), **FAST)
    assert len(played.frames) == COUNT
    assert played.frames[0].pixels.shape == (96, 128, 3)
    assert played.loss


@pytest.mark.parametrize("sound", ["aac", "libmp3lame", "libopus", "pcm_s16le", "flac", "ac3"])
def test_any_sound_comes_along(tmp_path, sound):
    played = play(make(tmp_path / "a.mkv", sounds=(sound,), count=30), **FAST)
    assert played.sound == pytest.approx(48_000, abs=4096)


def test_of_two_sounds_one_is_taken(tmp_path):
    assert play(make(tmp_path / "a.mkv", sounds=("aac", "aac"), count=30), **FAST).sound < 60_000


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (360, 640), (1920, 1080), (130, 98)])
def test_any_size_fits_the_canvas(tmp_path, size):
    played = play(make(tmp_path / "a.mkv", size=size, count=4, sounds=()), **FAST)
    assert [frame.pixels.shape for frame in played.frames] == [(96, 128, 3)] * 4


def test_samples_may_be_oblong(tmp_path):
    played = play(make(tmp_path / "a.mkv", aspect=Fraction(64, 45), sounds=()), **FAST)
    assert played.facts["aspect"] == "64:45"
    assert len(played.frames) == COUNT


@pytest.mark.parametrize(("turn", "clockwise"), [(90, "270"), (-90, "90"), (180, "180")])
def test_a_phone_may_be_held_any_way(tmp_path, turn, clockwise):
    played = play(make(tmp_path / "a.mp4", turn=turn, sounds=()), **FAST)
    assert played.facts["rotation"] == clockwise
    assert len(played.frames) == COUNT


@pytest.mark.parametrize(
    "options",
    [
        {"bf": "3"},
        {"x264-params": "intra-refresh=1:keyint=6"},
        {"x264-params": "interlaced=1"},
        {"tune": "zerolatency"},
    ],
    ids=["b-frames", "intra-refresh", "interlaced", "zerolatency"],
)
def test_pictures_come_in_the_order_of_their_presentation(tmp_path, options):
    played = play(make(tmp_path / "a.mp4", options=options, sounds=()), **FAST)
    assert played.numbers == list(range(COUNT))


@pytest.mark.parametrize("fps", [1, 240])
def test_slow_and_fast_pictures_keep_their_times(tmp_path, fps):
    played = play(make(tmp_path / "a.mp4", fps=fps, count=5, sounds=()), **FAST)
    assert played.spacing == pytest.approx([1 / fps] * 4, abs=0.001)


def test_a_variable_rate_is_kept(tmp_path):
    times = [0, 1, 2, 9, 10, 30, 31]
    played = play(make(tmp_path / "a.mkv", times=times, sounds=()), **FAST)
    steps = [(b - a) / 30 for a, b in itertools.pairwise(times)]
    assert played.spacing == pytest.approx(steps, abs=0.002)


def test_raw_h264_has_no_times_and_is_shown_at_its_rate(tmp_path):
    played = play(make(tmp_path / "a.h264", sounds=()), **FAST)
    assert len(played.frames) == COUNT
    assert played.spacing == pytest.approx([1 / 25] * (COUNT - 1), abs=0.01)


def test_times_that_jump_back_are_shown_as_of_now(tmp_path):
    one = make(tmp_path / "one.ts", count=60, fps=60, sounds=()).read_bytes()
    played = play(written(tmp_path, "jump.ts", one + one))
    assert len(played.frames) > 80
    assert min(played.spacing) >= 0
    assert played.frames[-1].pts - played.frames[0].pts < 3


def beheaded(path, cut=20):
    """Return a copy of a recording without the first `cut` pictures."""
    copy = path.with_name("cut.mkv")
    with av.open(str(path)) as whole, av.open(str(copy), "w") as out:
        track = out.add_stream_from_template(whole.streams.video[0])
        for number, packet in enumerate(whole.demux(video=0)):
            if number >= cut and packet.size:
                packet.stream = track
                out.mux(packet)
    return copy


def test_gradual_refresh_without_a_key_frame_is_shown_from_the_recovery_on(tmp_path):
    options = {"tune": "zerolatency", "x264-params": "intra-refresh=1:keyint=15"}
    played = play(beheaded(make(tmp_path / "a.mkv", count=80, options=options, sounds=())), **FAST)
    assert played.numbers[-20:] == list(range(60, 80))


def test_an_input_that_never_has_a_key_frame_is_shown_after_two_seconds(tmp_path):
    options = {"tune": "zerolatency", "x264-params": "keyint=infinite:scenecut=0"}
    played = play(beheaded(make(tmp_path / "a.mkv", count=120, options=options, sounds=(), gop=9999)))
    assert 20 < len(played.frames) < 60
    assert played.counters.count("corrupt_pictures") == 100
