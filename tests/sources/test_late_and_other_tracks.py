"""Tracks that begin on the way, and the choice among several audio tracks."""

from fractions import Fraction

import av
import numpy as np
import pytest

from sdstream.audio.ring import AudioRing
from sdstream.config.sources import FfmpegSourceSettings
from sdstream.ipc.counters import Counters
from sdstream.sources.context import COUNTERS, SourceContext
from sdstream.sources.registry import open_source
from tests.sources.media import make, picture
from tests.sources.source_playback import CANVAS, nobody, play

FAST = {"realtime": False}


def late_sound(folder, kind):
    """Return a recording whose sound begins after the opening has seen the tracks."""
    silent = make(folder / f"silent.{kind}", count=200, sounds=())
    loud = make(folder / f"loud.{kind}", count=60)
    body = loud.read_bytes()[13 if kind == "flv" else 0 :]
    both = folder / f"both.{kind}"
    both.write_bytes(silent.read_bytes() + body)
    return both


@pytest.mark.parametrize("kind", ["ts", "flv"])
def test_a_recording_whose_sound_begins_late_ends(tmp_path, kind):
    played = play(late_sound(tmp_path, kind), **FAST)
    assert played.loss == "ended"
    assert len(played.frames) > 200


@pytest.mark.parametrize("kind", ["ts", "flv"])
def test_a_recording_whose_sound_begins_late_loops(tmp_path, kind):
    assert len(play(late_sound(tmp_path, kind), most=700, loop=True, **FAST).frames) == 700


def test_another_audio_track_is_heard_from_the_next_packet_on(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        tracks = [out.add_stream("pcm_s16le", rate=48000, layout="mono") for _ in range(2)]
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(picture(number), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            out.mux(video.encode(frame))
            for track, level in zip(tracks, (1000, 9000), strict=True):
                sound = av.AudioFrame.from_ndarray(np.full((1, 1600), level, np.int16), "s16", "mono")
                sound.sample_rate, sound.pts, sound.time_base = 48000, number * 1600, Fraction(1, 48000)
                out.mux(track.encode(sound))
        for track in (video, *tracks):
            out.mux(track.encode(None))
    wish = [None]
    ring = AudioRing()
    context = SourceContext(CANVAS, Counters(COUNTERS), ring, nobody, sound_track=lambda: wish[0])
    heard = []
    with open_source(FfmpegSourceSettings(kind="ffmpeg", url=str(path), realtime=False), context) as source:
        for number in range(40):
            wish[0] = (None, 1, 0, 7)[number // 10]
            source.read()
            end = ring.span()[1]
            heard.append(round(float(ring.read(end - 100, 1)[0, 0]) * 32768, -3) if end else 0)
    assert heard[5::10] == [1000, 9000, 1000, 1000]
