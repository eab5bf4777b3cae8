"""A decoder can begin at key frames and recovery points, whatever the flags say."""

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstream.sources.decoding.nal_units import has_entrance
from tests.sources.media import picture

SIZE = (320, 180)


def messages(path, codec, options, count=40):
    """Return the video messages of a file written by a real encoder, without the headers."""
    with av.open(str(path), "w", format="flv") as out:
        video = out.add_stream(codec, rate=30, options=options)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.codec_context.flags |= 1 << 22
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number, SIZE), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    data, place, found = path.read_bytes(), 13, []
    while place + 11 < len(data):
        size = int.from_bytes(data[place + 1 : place + 4], "big")
        body = data[place + 11 : place + 11 + size]
        if data[place] == 9 and body[1:2] != b"\0" and body[0] & 15 not in {0, 2, 4}:
            found.append(body)
        place += 15 + size
    return found


X264 = {"preset": "ultrafast", "tune": "zerolatency"}


@pytest.mark.parametrize(
    ("codec", "options", "expected"),
    [
        ("libx264", X264 | {"x264-params": "keyint=10:scenecut=0"}, [0, 10, 20, 30]),
        ("libx264", X264 | {"x264-params": "keyint=10:scenecut=0:intra-refresh=1"}, [0, 10, 20, 30]),
        ("libx264", X264 | {"x264-params": "keyint=10:scenecut=0:slices=4"}, [0, 10, 20, 30]),
        ("libx265", X264 | {"x265-params": "log-level=error:keyint=10:scenecut=0:pools=1"}, [0, 10, 20, 30]),
    ],
    ids=["idr", "intra refresh", "slices", "hevc"],
)
def test_an_entrance_is_found_without_flags(tmp_path, codec, options, expected):
    bodies = messages(tmp_path / "a.flv", codec, options)
    unflagged = [bytes([body[0] & 0x8F | 0x20]) + body[1:] for body in bodies]
    assert [number for number, body in enumerate(unflagged) if has_entrance(body)] == expected


@given(st.sampled_from([b"\x27\1", b"\x2c\1", b"\xa1avc1", b"\xa3hvc1", b"\xa1hvc1"]), st.binary(max_size=80))
def test_any_bytes_have_an_entrance_or_none(start, rest):
    assert has_entrance(start + rest) in {True, False}
