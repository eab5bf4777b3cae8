"""Rare colour tags and HDR: the colours of a picture coded by ITU-T H.273's own equations come back."""

import av
import numpy as np
import pytest
from structlog.testing import capture_logs

from sdstream.config.schema import Canvas
from sdstream.config.sources import PictureSettings
from sdstream.sources.decoding.convert import Converter
from sdstream.sources.decoding.shape import Shape

COLOURS = [(192, 48, 48), (48, 192, 48), (48, 48, 192), (192, 192, 48), (128, 128, 128), (224, 172, 140), (16, 16, 16)]
BT709, BT2020, XYZ, UNSPECIFIED = 1, 9, 10, 2
PQ, HLG = 16, 18
YCGCO, CONSTANT, SMPTE2085, DERIVED, DERIVED_CONSTANT, ICTCP = 8, 10, 11, 12, 13, 14
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
LMS = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
ICTCP_OF = {
    PQ: np.array([[2048, 2048, 0], [6610, -13613, 7003], [17933, -17390, -543]]) / 4096,
    HLG: np.array([[2048, 2048, 0], [3625, -7465, 3840], [9500, -9212, -288]]) / 4096,
}


def pq(nits):
    power = (np.clip(nits, 0, 10_000) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(scene):
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * np.maximum(scene, 0)), high)


def oetf(light):
    return np.where(light < 0.0181, 4.5 * light, 1.0993 * np.maximum(light, 0) ** 0.45 - 0.0993)


def scene_of(nits):
    luminance = max(float(nits @ np.array([0.2627, 0.6780, 0.0593])), 1e-9)
    return nits / 1000 * (luminance / 1000) ** (-0.2 / 1.2)


def nits_of(colour, white=203):
    return (np.array(colour) / 255) ** 2.4 @ TO_BT2020.T * white


def luma_chroma(code, red, blue):
    luma = red * code[0] + (1 - red - blue) * code[1] + blue * code[2]
    return luma, (code[2] - luma) / (2 * (1 - blue)), (code[0] - luma) / (2 * (1 - red))


def constant(code, red, blue):
    """H.273, equations 59 to 68; `code` is R'G'B' by the curve of BT.2020."""
    back = np.where(code < 0.0812, code / 4.5, ((code + 0.0993) / 1.0993) ** (1 / 0.45))
    luma = float(oetf(np.array(red * back[0] + (1 - red - blue) * back[1] + blue * back[2])))
    chroma = []
    for part, weight in ((code[2], blue), (code[0], red)):
        side = oetf(np.array(1 - weight)) if part < luma else 1 - oetf(np.array(weight))
        chroma.append((part - luma) / (2 * float(side)))
    return luma, *chroma


def encoded(matrix, code):
    """Return luma and chroma of R'G'B'."""
    r, g, b = code
    if matrix == YCGCO:
        return (r + 2 * g + b) / 4, (2 * g - r - b) / 4, (r - b) / 2
    if matrix == SMPTE2085:
        return g, (0.986566 * b - g) / 2, (r - 0.991902 * g) / 2
    if matrix == DERIVED:
        return luma_chroma(code, 0.2627, 0.0593)
    if matrix in (CONSTANT, DERIVED_CONSTANT):
        return constant(np.array(code), 0.2627, 0.0593)
    return luma_chroma(code, 0.2627, 0.0593) if matrix == BT2020 else luma_chroma(code, 0.2126, 0.0722)


def picture(parts, *, full=False, form="yuv444p10le", **tags):
    """Return a flat picture of luma and chroma."""
    luma, blue, red = parts
    levels = (luma * 1023, 512 + blue * 1023, 512 + red * 1023)
    if not full:
        levels = (64 + 876 * luma, 512 + 896 * blue, 512 + 896 * red)
    frame = av.VideoFrame(64, 48, form)
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(np.full(plane.buffer_size // 2, round(level), "<u2").tobytes())
    frame.color_range = 2 if full else 1
    frame.colorspace = tags["matrix"]
    frame.color_trc, frame.color_primaries = tags.get("transfer", 2), tags.get("primaries", 2)
    return frame


def shown(frame, **settings):
    pixels = Converter(Canvas(width=64, height=48), PictureSettings(**settings)).convert(frame, Shape.of(frame))
    return pixels[24, 32].astype(int)


def worst(seen, colour):
    return int(np.abs(seen - np.array(colour)).max())


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("full", [False, True])
def test_ycgco_of_a_lossless_recording_is_right(colour, full):
    frame = picture(encoded(YCGCO, np.array(colour) / 255), full=full, matrix=YCGCO)
    assert worst(shown(frame), colour) <= 2


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [BT2020, CONSTANT, DERIVED, DERIVED_CONSTANT])
def test_bt2020_of_every_matrix_is_right(matrix, colour, full):
    code = (np.maximum(nits_of(colour, 1), 0)) ** (1 / 2.4)
    frame = picture(encoded(matrix, code), full=full, matrix=matrix, transfer=14, primaries=BT2020)
    assert worst(shown(frame), colour) <= 4


@pytest.mark.parametrize("colour", COLOURS)
def test_smpte_2085_of_xyz_is_right(colour):
    code = ((np.array(colour) / 255) ** 2.4 @ TO_XYZ.T) ** (1 / 2.4)
    frame = picture(encoded(SMPTE2085, code), matrix=SMPTE2085, primaries=XYZ)
    assert worst(shown(frame), colour) <= 4


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize(("matrix", "tolerance"), [(BT2020, 8), (ICTCP, 12)])
def test_hdr_is_brought_to_the_canvas(matrix, tolerance, transfer, colour):
    nits = nits_of(colour)
    light = nits if transfer == PQ else scene_of(nits)
    curve = pq if transfer == PQ else hlg
    parts = ICTCP_OF[transfer] @ curve(LMS @ light) if matrix == ICTCP else encoded(matrix, curve(light))
    frame = picture(parts, matrix=matrix, transfer=transfer, primaries=BT2020)
    assert worst(shown(frame), colour) <= tolerance


@pytest.mark.parametrize(("nits", "lowest", "highest"), [(203, 230, 245), (1000, 253, 255), (4000, 255, 255)])
def test_hdr_white_stays_white_and_highlights_differ(nits, lowest, highest):
    frame = picture((float(pq(np.array(nits))), 0, 0), matrix=BT2020, transfer=PQ, primaries=BT2020)
    assert lowest <= shown(frame).min() <= shown(frame).max() <= highest


def test_hdr_as_it_is_keeps_the_values():
    frame = picture((0.58, 0, 0), matrix=BT2020, transfer=PQ, primaries=BT2020)
    assert worst(shown(frame, hdr="as_is"), (148, 148, 148)) <= 1


def test_a_higher_white_is_darker():
    frame = picture((0.58, 0, 0), matrix=BT2020, transfer=PQ, primaries=BT2020)
    assert shown(frame, hdr_white=400)[0] < shown(frame)[0] - 30


@pytest.mark.parametrize(
    ("transfer", "gamma"), [(4, 2.2), (5, 2.8), (8, 1.0), (1, 2.4), (6, 2.4), (13, 2.4), (14, 2.4), (15, 2.4)]
)
def test_a_transfer_function_is_obeyed(transfer, gamma):
    code = (np.array((192, 100, 48)) / 255) ** (2.4 / gamma)
    frame = picture(encoded(BT709, code), matrix=BT709, transfer=transfer, primaries=BT709)
    assert worst(shown(frame), (192, 100, 48)) <= 4


def test_pal_tags_everywhere_mean_the_usual_gamma():
    r, g, b = 0.5, 0.5, 0.5
    frame = picture(encoded(BT709, (r, g, b)), matrix=5, transfer=5, primaries=5)
    assert worst(shown(frame), (128, 128, 128)) <= 1


@pytest.mark.parametrize("matrix", [0, 3, YCGCO, CONSTANT, SMPTE2085, DERIVED, DERIVED_CONSTANT, ICTCP, 15, 16, 17])
def test_a_rare_matrix_alone_in_a_subsampled_picture_means_the_usual_one_and_is_told(matrix):
    code = np.array((192, 48, 48)) / 255
    frame = picture(luma_chroma(code, 0.299, 0.114), form="yuv420p10le", matrix=matrix)
    with capture_logs() as logs:
        seen = shown(frame)
    assert worst(seen, (192, 48, 48)) <= 2
    assert "shown as bt601" in logs[0]["matrix"]


def test_a_rare_matrix_is_obeyed_on_demand():
    frame = picture(encoded(YCGCO, np.array((192, 48, 48)) / 255), form="yuv420p10le", matrix=YCGCO)
    assert worst(shown(frame, matrix="as_tagged"), (192, 48, 48)) <= 2


def test_a_wrong_matrix_can_be_overruled():
    frame = picture(encoded(BT709, np.array((192, 48, 48)) / 255), matrix=6)
    assert worst(shown(frame, matrix="bt709"), (192, 48, 48)) <= 2


def test_hdr_is_told_once():
    converter = Converter(Canvas(width=64, height=48))
    dark, light = (picture((part, 0, 0), matrix=BT2020, transfer=PQ, primaries=BT2020) for part in (0.2, 0.5))
    with capture_logs() as logs:
        for frame in (dark, light):
            converter.convert(frame, Shape.of(frame))
    assert [entry["hdr"] for entry in logs] == ["PQ, BT.2020 primaries"]


def test_colour_tags_may_change_at_any_picture():
    converter = Converter(Canvas(width=64, height=48))
    plain = picture(encoded(BT709, np.array((192, 48, 48)) / 255), matrix=BT709, transfer=1, primaries=1)
    hdr = picture(encoded(BT2020, pq(nits_of((192, 48, 48)))), matrix=BT2020, transfer=PQ, primaries=BT2020)
    seen = [converter.convert(frame, Shape.of(frame))[24, 32].astype(int) for frame in (plain, hdr, plain)]
    assert max(worst(pixels, (192, 48, 48)) for pixels in seen) <= 8
