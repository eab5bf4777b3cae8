"""Recordings whose tracks begin late, end early, or are empty: they end, and a loop has no hole."""

import itertools
import threading
import time

import pytest

from sdstream.errors import Unavailable
from sdstream.sources.ffmpeg import PATIENCE
from tests.sources.media import flv_tags, make
from tests.sources.source_playback import play

SOUND, PICTURE = 8, 9


def flv_with(path, keep):
    """Write an FLV with the tags that `keep(kind, seconds)` keeps; codec headers go before the first kept tag."""
    data = make(path.with_name("whole.flv"), count=90, gop=15).read_bytes()
    headers, out, begun = {}, bytearray(data[:13]), set()
    for kind, at, payload in flv_tags(data):
        if kind in (SOUND, PICTURE) and kind not in headers:
            headers[kind] = payload
        elif keep(kind, at / 1000):
            if kind in headers and kind not in begun:
                out += tag(kind, at, headers[kind])
                begun.add(kind)
            out += tag(kind, at, payload)
    path.write_bytes(out)
    return path


def tag(kind, at, payload):
    head = bytes([kind]) + len(payload).to_bytes(3, "big") + at.to_bytes(3, "big") + bytes(4)
    return head + payload + (len(payload) + 11).to_bytes(4, "big")


KINDS = {
    "late sound": lambda kind, at: kind == PICTURE or at >= 1.5,
    "late picture": lambda kind, at: kind == SOUND or at >= 1.0,
    "short sound": lambda kind, at: kind == PICTURE or at < 0.5,
    "short picture": lambda kind, at: kind == SOUND or at < 1.0,
    "no sound": lambda kind, _: kind == PICTURE,
    "hole in both": lambda _, at: not 0.9 < at < 2.0,
}
TRIES = 4
SHORT_PROBE = {"probesize": "2048", "analyzeduration": "100000"}
"""Finds the tracks at the very beginning only, as FFmpeg does with a track that begins after many seconds."""


@pytest.mark.parametrize("options", [{}, SHORT_PROBE], ids=["all tracks known", "tracks found late"])
@pytest.mark.parametrize("kind", ["late sound", "short sound", "short picture", "no sound", "hole in both"])
def test_a_recording_ends_whatever_its_tracks(tmp_path, kind, options):
    path = flv_with(tmp_path / "a.flv", KINDS[kind])
    began = time.monotonic()
    played = play(path, options=options)
    assert played.loss == "ended"
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_seam_of_a_loop_has_no_hole(tmp_path, kind):
    path = flv_with(tmp_path / "a.flv", KINDS[kind])
    for _ in range(TRIES):  # a stall of the machine looks like a hole, but is not at the same place again
        played = play(path, most=150, loop=True)
        assert played.numbers.count(played.numbers[0]) >= 2
        shown = [later.captured - earlier.captured for earlier, later in itertools.pairwise(played.frames)]
        if max(shown) < PATIENCE + 0.1 and played.spacing == pytest.approx(shown, abs=0.1):
            return
    pytest.fail(f"a hole in each of {TRIES} plays; the last: {max(shown):.2f} s between two pictures")


def test_the_last_picture_stays_until_the_sound_is_over(tmp_path):
    played = play(flv_with(tmp_path / "a.flv", KINDS["short picture"]))
    assert played.frames[-1].captured - played.frames[0].captured == pytest.approx(3.0, abs=0.5)
    assert played.numbers[-1] == 29
    assert played.sound == pytest.approx(3 * 48000, rel=0.05)


def test_long_sound_without_pictures_is_not_read_at_once(tmp_path):
    path = tmp_path / "long.mkv"
    make(path, count=900, fps=30, size=(32, 32), times=[0, 899])
    watch = []
    thread = threading.Thread(target=lambda: watch.append(play(path, most=12)), daemon=True)
    thread.start()
    thread.join(10)
    assert watch[0].sound / 48000 < 10


@pytest.mark.parametrize("loop", [True, False])
def test_a_recording_without_a_picture_says_so(tmp_path, loop):
    path = flv_with(tmp_path / "a.flv", lambda kind, _: kind == SOUND)
    whole = (tmp_path / "whole.flv").read_bytes()
    header = next(payload for kind, _, payload in flv_tags(whole) if kind == PICTURE)
    data = path.read_bytes()
    path.write_bytes(data[:13] + tag(PICTURE, 0, header) + data[13:])
    with pytest.raises(Unavailable, match="no picture that FFmpeg can decode"):
        play(path, loop=loop)
