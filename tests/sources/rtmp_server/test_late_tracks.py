"""Tracks, codecs and key frames that come late, or never."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from sdstream.sources.rtmp_server import flv
from sdstream.sources.rtmp_server.chunks import AUDIO, VIDEO
from sdstream.sources.rtmp_server.events import Media
from sdstream.sources.rtmp_server.publication import NO_KEY_FRAME, Publication
from tests.sources.media import flv_tags, make

AVC_HEADER = Media(VIDEO, 0, b"\x17\0\0\0\0avcC")
MP3 = b"\x2f\xff\xfb\x90\x64"


def feed(publication, *media, now=0.0):
    return b"".join(publication.feed(part, now, wanted=True) for part in media)


def messages(path):
    return [Media(*tag) for tag in flv_tags(path.read_bytes())]


def sounds(path, rate, layout):
    """Return the messages of three seconds of sound."""
    with av.open(str(path), "w", format="flv") as out:
        track = out.add_stream("aac", rate=rate, layout=layout)
        track.codec_context.flags |= 1 << 22
        resampler = av.AudioResampler("fltp", layout, rate, frame_size=1024)
        tone = av.AudioFrame.from_ndarray(np.full((1, 3 * rate), 0.1, np.float32), "flt", "mono")
        tone.sample_rate, tone.pts, tone.time_base = rate, 0, Fraction(1, rate)
        for part in resampler.resample(tone):
            out.mux(track.encode(part))
        out.mux(track.encode(None))
    return [part for part in messages(path) if part.kind == AUDIO]


@pytest.mark.parametrize(("rate", "layout"), [(48000, "stereo"), (44100, "mono"), (48000, "5.1")])
def test_ffmpeg_hears_sound_that_comes_seconds_after_the_opening(tmp_path, rate, layout):
    pictures = messages(make(tmp_path / "a.flv", count=90, sounds=()))
    heads, bodies = [], []
    for part in sounds(tmp_path / "b.flv", rate, layout):
        (heads if flv.is_sequence_header(part) else bodies).append(part)
    late = sorted([*pictures, *bodies], key=lambda part: part.timestamp)
    publication = Publication()
    made = feed(publication, *(part for part in pictures if part.timestamp < 2000))
    made += feed(publication, *heads, *(part for part in late if part.timestamp >= 2000))
    assert not publication.outgrown()
    with av.open(io.BytesIO(made), format="flv", options={"analyzeduration": "1"}) as container:
        heard = [frame for packet in container.demux(audio=0) for frame in packet.decode()]
    assert sum(frame.samples for frame in heard) / rate == pytest.approx(1.0, abs=0.1)
    assert {(frame.sample_rate, frame.layout.name) for frame in heard} == {(rate, layout)}


def test_pictures_without_any_key_frame_start_after_two_seconds():
    publication, made = Publication(), b""
    feed(publication, AVC_HEADER)
    for number in range(120):
        made += feed(publication, Media(VIDEO, number * 33, b"\x27\1\0\0\0delta"), now=number / 30)
        if made:
            break
    assert number / 30 == pytest.approx(NO_KEY_FRAME, abs=0.8)


def test_a_stray_message_of_another_codec_is_left_out(tmp_path):
    parts = messages(make(tmp_path / "a.flv", count=30))
    publication = Publication()
    feed(publication, *parts[:40])
    for stray in (Media(AUDIO, 500, MP3 + bytes(99)), Media(VIDEO, 500, b"\x24" + bytes(80))):
        assert feed(publication, stray) == b""
    assert feed(publication, Media(VIDEO, 500, b"\x90hvc1" + bytes(60))) == b""
    assert not publication.outgrown()
    publication.restart()
    assert b"hvc1" not in feed(publication, *parts[40:], *parts, now=9.0)


def test_a_publisher_may_change_its_codec_for_good(tmp_path):
    parts = messages(make(tmp_path / "a.flv", count=30))
    publication = Publication()
    feed(publication, *parts)
    header = Media(VIDEO, 1000, b"\x90hvc1configuration")
    feed(publication, header, *(Media(VIDEO, 1000 + n, b"\xa3hvc1picture") for n in range(30)))
    assert publication.outgrown()
    publication.restart()
    started = feed(publication, Media(VIDEO, 2000, b"\x93hvc1key"), Media(AUDIO, 2000, b"\xaf\1sound"), now=5.0)
    assert b"hvc1configuration" in started
