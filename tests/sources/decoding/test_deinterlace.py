"""Interlaced pictures of real encoders become whole pictures without combs; progressive pictures are not touched."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph

from sdstream.config.schema import Canvas
from sdstream.sources.decoding.deinterlace import Deinterlacer
from tests.sources.source_playback import play

SIZE = (192, 96)
RATE = 25
TFF, BFF = ("tff", "bff")


def field_picture(number, order):
    """Return pixels: a white bar that moves on by 12 pixels from field to field."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    for field in (0, 1):
        late = 1 - field if order == BFF else field
        left = (2 * number + late) * 6 % 140
        pixels[field::2, left : left + 24] = 220
    return pixels


def h264(order):
    return ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "crf": "8", "flags": "+ildct"})


def mpeg2(order):
    return ("mpeg2video", {"flags": "+ilme+ildct", "qscale": "2", "field_order": "tt" if order == TFF else "bb"})


def recording(path, codec, options, count=30, picture=field_picture, order=TFF):
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.codec_context.bit_rate = 8_000_000
        flag = Graph()  # encoders write the field order of each frame, and PyAV cannot set a frame's
        flag.link_nodes(
            flag.add_buffer(template=video, time_base=Fraction(1, RATE)),
            flag.add("setfield", order),
            flag.add("buffersink"),
        ).configure()
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number, order), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            flag.vpush(frame)
            out.mux(video.encode(flag.vpull()))
        out.mux(video.encode(None))
    return path


def comb(pixels):
    """Return how far lines differ from the mean of the lines above and below, at its strongest (levels)."""
    luma = pixels.astype(int)[8:-8, :, 1]
    difference = np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2)
    return float(np.percentile(difference, 99))


def played(path, **settings):
    canvas = Canvas(width=SIZE[0], height=SIZE[1], fps=settings.pop("fps", 25))
    return play(path, canvas=canvas, realtime=False, **settings)


@pytest.mark.parametrize("order", [TFF, BFF])
@pytest.mark.parametrize("encoder", [h264, mpeg2])
def test_interlaced_pictures_have_no_combs(tmp_path, encoder, order):
    path = recording(tmp_path / "i.mkv", *encoder(order), order=order)
    assert max(comb(frame.pixels) for frame in played(path, deinterlace="off").frames) > 80
    whole = played(path).frames
    assert len(whole) >= 28
    assert max(comb(frame.pixels) for frame in whole[1:]) < 25


def test_a_fast_canvas_gets_a_picture_for_each_field(tmp_path):
    playback = played(recording(tmp_path / "i.mkv", *h264(TFF)), fps=50)
    assert len(playback.frames) >= 56
    assert playback.spacing[4:50] == pytest.approx([1 / 50] * 46, abs=0.002)
    lefts = [int(np.argmax(frame.pixels[48, :, 1] > 130)) for frame in playback.frames[4:16]]
    assert np.diff(lefts).tolist() == pytest.approx([6] * 11, abs=2)


def test_unmarked_interlaced_pictures_are_deinterlaced_on_demand(tmp_path):
    path = recording(tmp_path / "u.mkv", "ffv1", {}, order="prog")
    assert max(comb(frame.pixels) for frame in played(path).frames) > 80
    assert max(comb(frame.pixels) for frame in played(path, deinterlace="on").frames[1:]) < 25


def test_progressive_pictures_are_the_same_objects():
    deinterlacer = Deinterlacer("auto", 25)
    frame = av.VideoFrame(64, 48, "yuv420p")
    assert deinterlacer.take(frame)[0] is frame


def changing(path):
    """Write a file that is interlaced, progressive for 60 pictures, and interlaced again."""
    parts = [
        recording(path / f"{i}.ts", *encoder, count=count, order=order)
        for i, (encoder, count, order) in enumerate(_PARTS)
    ]
    whole = path / "all.ts"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    return whole


_PLAIN = ("libx264", {"preset": "ultrafast", "tune": "zerolatency"})
_PARTS = [(h264(TFF), 20, TFF), (_PLAIN, 70, "prog"), (h264(BFF), 20, BFF)]


def test_the_flag_may_change_at_any_picture(tmp_path):
    playback = played(changing(tmp_path))
    assert len(playback.frames) >= 106
    assert comb(playback.frames[10].pixels) < 25
    assert comb(playback.frames[105].pixels) < 25
