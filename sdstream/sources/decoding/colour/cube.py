"""A cube from coded colour to the canvas's RGB, for FFmpeg's lut3d filter: any matrix, transfer and primaries at once.

A cube of two nodes a side is exact for a matrix. Everything else gives light, and leaves the canvas's curve to a table
of 65536 entries: light is smooth between the nodes, while a curve near black would be wrong by 40 levels.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sdstream.sources.decoding.colour import light
from sdstream.sources.decoding.colour.coding import CUBE_MATRICES, ICTCP, Coding
from sdstream.sources.decoding.colour.light import HLG, PQ, Values

CODE_BITS = 16
"""Bits of the codes that a cube is asked with; codes of fewer bits are shifted up."""

_TO_ICTCP = {
    PQ: ((2048, 2048, 0), (6610, -13613, 7003), (17933, -17390, -543)),
    HLG: ((2048, 2048, 0), (3625, -7465, 3840), (9500, -9212, -288)),
}
_LMS = ((1688, 2146, 262), (683, 2951, 462), (99, 309, 3688))
_BT2020, _UNSPECIFIED = 9, 2
_CURVED = {10, 13, ICTCP}


def nodes(coding: Coding) -> int:
    """Return the nodes of a side. 33 take 0.1 s to make, 65 take 0.5 s, in which no picture is shown."""
    if coding.matrix == ICTCP:
        return 65  # PQ along the diagonals of the cube: 33 are wrong by 24 levels in saturated colours
    return 33 if gives_light(coding) else 2


def gives_light(coding: Coding) -> bool:
    """Tell whether the cube gives light, for the canvas's curve to follow, and not the canvas's R'G'B'."""
    return not coding.by_matrix_alone or coding.matrix in _CURVED


def write_cube(coding: Coding, path: Path) -> None:
    """Write the cube of `coding` as a .cube file (red, or luma, changes fastest)."""
    side = nodes(coding)
    axis = np.linspace(0, 1, side)
    third, second, first = np.meshgrid(axis, axis, axis, indexing="ij")
    values = cube_values(coding, np.stack([first, second, third], -1).reshape(-1, 3))
    path.write_bytes(f"LUT_3D_SIZE {side}\n".encode() + _text(values))


def cube_values(coding: Coding, asked: Values) -> Values:
    """Return the canvas's light, or R'G'B', of `asked` (n, 3).

    `asked` is R'G'B' if the scale filter knows the matrix. Else `asked` is codes of 16 bits as shares of the largest
    code, in the order luma, blue chroma, red chroma. Values may leave 0..1.
    """
    if coding.matrix == ICTCP:
        return _on_canvas(coding, _ictcp_light(coding, _normal(coding, asked)))
    values = _decode(coding, _normal(coding, asked)) if coding.matrix in CUBE_MATRICES else asked
    if not gives_light(coding):
        return values
    if coding.by_matrix_alone:
        return light.display_light(values)
    return _on_canvas(coding, _transfer(coding)(values))


def _text(values: Values) -> bytes:
    """Return lines such as "+0.12345 -0.00010 +1.00000"; np.savetxt would hold the picture up for a second."""
    whole = np.rint(np.clip(np.abs(values), 0, 9.99999) * 1e5).astype(np.int64)
    letters = np.full((*values.shape, 9), ord(" "), np.uint8)  # [n, 3, 9]
    letters[..., 0] = np.where(values < 0, ord("-"), ord("+"))
    letters[..., 2] = ord(".")
    for place in (7, 6, 5, 4, 3, 1):
        whole, digit = np.divmod(whole, 10)
        letters[..., place] = digit + ord("0")
    letters[:, -1, -1] = ord("\n")
    return letters.tobytes()


def _on_canvas(coding: Coding, shown: Values) -> Values:
    """Turn light (nits for HDR) of the picture's primaries into light of the canvas."""
    primaries = _BT2020 if coding.hdr and coding.primaries == _UNSPECIFIED else coding.primaries
    linear: Values = (shown / coding.white if coding.hdr else shown) @ light.to_bt709(primaries).T
    return light.tone_map(linear) if coding.hdr and coding.tone_map else linear


def _transfer(coding: Coding) -> Callable[[Values], Values]:
    if coding.transfer == PQ:
        return light.pq_to_nits
    if coding.transfer == HLG:
        return light.hlg_to_nits
    return light.TRANSFERS.get(coding.transfer, light.display_light)


def _normal(coding: Coding, asked: Values) -> Values:
    """Return luma 0..1 and chroma -0.5..0.5 of codes."""
    step = 2 ** (CODE_BITS - 8)
    codes = asked * (2**CODE_BITS - 1)
    if coding.full:
        largest = (2**coding.bits - 1) * 2 ** (CODE_BITS - coding.bits)
        normal: Values = (codes - np.array([0, 128, 128]) * step) / largest
    else:
        normal = (codes / step - np.array([16, 128, 128])) / np.array([219, 224, 224])
    return normal


def _decode(coding: Coding, values: Values) -> Values:
    """Return R'G'B' of luma and two chroma values."""
    luma, blue, red = values[:, 0], values[:, 1], values[:, 2]
    match coding.matrix:
        case 8:
            return np.stack([luma - blue + red, luma + blue, luma - blue - red], -1)
        case 11:
            return np.stack([2 * red + 0.991902 * luma, luma, (2 * blue + luma) / 0.986566], -1)
        case 12:
            return _by_weights(light.luma_weights(coding.primaries), luma, blue, red)
        case 10:
            return _constant_luminance(light.luma_weights(_BT2020), luma, blue, red)
        case _:
            return _constant_luminance(light.luma_weights(coding.primaries), luma, blue, red)


def _by_weights(weights: tuple[float, float, float], luma: Values, blue: Values, red: Values) -> Values:
    of_red, of_green, of_blue = weights
    r, b = luma + 2 * (1 - of_red) * red, luma + 2 * (1 - of_blue) * blue
    return np.stack([r, (luma - of_red * r - of_blue * b) / of_green, b], -1)


def _constant_luminance(weights: tuple[float, float, float], luma: Values, blue: Values, red: Values) -> Values:
    """Decode luma of linear light (H.273, equations 59 to 68)."""
    of_red, of_green, of_blue = weights
    b = luma + _one_sided(blue, of_blue)
    r = luma + _one_sided(red, of_red)
    y, linear_r, linear_b = (light.code_to_scene(part) for part in (luma, r, b))
    g = light.scene_to_code((y - of_red * linear_r - of_blue * linear_b) / of_green)
    return np.stack([r, g, b], -1)


def _one_sided(chroma: Values, weight: float) -> Values:
    above, below = 1 - light.scene_to_code(np.array(weight)), light.scene_to_code(np.array(1 - weight))
    return 2 * chroma * np.where(chroma > 0, above, below)


def _ictcp_light(coding: Coding, values: Values) -> Values:
    """Return linear BT.2020 light of ICtCp (ITU-R BT.2100 table 7); nits for HDR."""
    cone_codes = values @ np.linalg.inv(np.array(_TO_ICTCP[HLG if coding.transfer == HLG else PQ]) / 4096).T
    curve = light.hlg_to_scene if coding.transfer == HLG else _transfer(coding)
    linear: Values = curve(cone_codes) @ np.linalg.inv(np.array(_LMS) / 4096).T
    return light.on_display(linear) if coding.transfer == HLG else linear
