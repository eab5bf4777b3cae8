"""From a coded value to light and back: transfer functions, primaries and the tone curve for HDR.

Light is display light: 1 is the white of the canvas, and a canvas value v shows v ** 2.4 (ITU-R BT.1886).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.floating[Any]]
"""(n, 3) values, red, green and blue unless said otherwise."""

PQ, HLG = 16, 18
"""Transfer characteristics of HDR (ITU-R BT.2100)."""

DISPLAY = 2.4
"""Exponent of the canvas."""

_KNEE = 0.85  # canvas value up to which HDR looks as SDR does; BT.2390's knee would darken faces
_PEAK = 1000.0  # nits; the light of the brightest highlight that differs from white
_PQ_WHITE = 10_000.0
_HLG_WHITE, _HLG_GAMMA = 1000.0, 1.2
_BT2020_LUMA = (0.2627, 0.6780, 0.0593)
_BT709_LUMA = (0.2126, 0.7152, 0.0722)

_XYZ = 10
_D65 = (0.3127, 0.3290)
_CHROMATICITIES = {  # ITU-T H.273 table 2: red, green, blue, white
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), (0.310, 0.316)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    _XYZ: ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3)),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_BT709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)


def luma_weights(primaries: int) -> tuple[float, float, float]:
    """Return the share of red, green and blue in the luminance (H.273, equations 32 to 37)."""
    red, green, blue = (float(share) for share in _to_xyz(primaries)[1])
    return red, green, blue


def to_bt709(primaries: int) -> Values:
    """Return the matrix (3, 3) from linear light of `primaries` to BT.709.

    White stays white (Bradford); but XYZ is absolute, and carries the white of the picture.
    """
    if primaries == _XYZ:
        absolute: Values = np.linalg.inv(_xyz_of(_BT709))
        return absolute
    matrix: Values = np.linalg.inv(_xyz_of(_BT709)) @ _adaptation(_chromaticities(primaries)[3]) @ _to_xyz(primaries)
    return matrix


def pq_to_nits(code: Values) -> Values:
    """Return light in nits (SMPTE ST 2084, equation 4.1)."""
    power = np.clip(code, 0, 1) ** (32 / 2523)
    share = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    light: Values = _PQ_WHITE * share ** (8192 / 1305)
    return light


def hlg_to_scene(code: Values) -> Values:
    """Return scene light, 0 to 1 (ARIB STD-B67; ITU-R BT.2100 table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    high = (np.exp((np.maximum(code, 0.5) - c) / a) + b) / 12
    light: Values = np.where(code <= 0.5, np.maximum(code, 0) ** 2 / 3, high)
    return light


def hlg_to_nits(code: Values) -> Values:
    """Return light in nits on a display of 1000 nits: scene light and the system gamma of 1.2."""
    return on_display(hlg_to_scene(code))


def scene_to_code(light: Values) -> Values:
    """Return the value of BT.709 and BT.2020 for scene light; the same curve on both sides of 0."""
    size = np.abs(light)
    curve: Values = np.sign(light) * np.where(size < 0.0181, 4.5 * size, 1.0993 * size**0.45 - 0.0993)
    return curve


def code_to_scene(code: Values) -> Values:
    """Return the scene light of a value of BT.709 or BT.2020."""
    size = np.abs(code)
    curve: Values = np.sign(code) * np.where(size < 0.0812, size / 4.5, ((size + 0.0993) / 1.0993) ** (1 / 0.45))
    return curve


def on_display(scene: Values) -> Values:
    """Return light in nits of BT.2020 scene light (ITU-R BT.2100 table 5: the OOTF)."""
    luminance = np.maximum(scene @ np.array(_BT2020_LUMA), 1e-9)[..., None]
    light: Values = _HLG_WHITE * scene * luminance ** (_HLG_GAMMA - 1)
    return light


def _power(exponent: float) -> Callable[[Values], Values]:
    def light(code: Values) -> Values:
        curve: Values = np.sign(code) * np.abs(code) ** exponent
        return curve

    return light


def _log(range_: float) -> Callable[[Values], Values]:
    def light(code: Values) -> Values:
        curve: Values = np.where(code <= 0, 0.0, 10.0 ** ((np.maximum(code, 0) - 1) * range_))
        return curve

    return light


TRANSFERS: dict[int, Callable[[Values], Values]] = {
    4: _power(2.2),
    5: _power(2.8),
    8: _power(1.0),
    9: _log(2.0),
    10: _log(2.5),
    17: lambda code: 52.37 / 48 * _power(2.6)(code),
}
"""Display light of the transfer characteristics that differ from the canvas's."""

display_light = _power(DISPLAY)
"""Light of a canvas value, and of the transfer characteristics that are shown as they are."""


def tone_map(light: Values) -> Values:
    """Bring BT.709 light of any brightness to light of the canvas, 0 to 1, with the same hue.

    Light outside the canvas's gamut loses saturation. Values up to the knee stay; above, white becomes 0.93 and 1000
    nits become 1 (Reinhard's curve, extended, on the largest of the three colours, so that hues stay).
    """
    grey = light @ np.array(_BT709_LUMA)[:, None]
    lowest = light.min(axis=-1, keepdims=True)
    mix = np.where(lowest < 0, grey / np.maximum(grey - lowest, 1e-9), 1.0)
    inside = np.maximum(grey + np.clip(mix, 0, 1) * (light - grey), 0)
    largest = np.maximum(inside.max(axis=-1, keepdims=True), 1e-9)
    mapped: Values = inside * display_light(_roll_off(largest ** (1 / DISPLAY))) / largest
    return mapped


def _roll_off(value: Values) -> Values:
    over = np.maximum(value - _KNEE, 0) / (1 - _KNEE)
    peak = ((_PEAK / 203) ** (1 / DISPLAY) - _KNEE) / (1 - _KNEE)
    rolled = _KNEE + (1 - _KNEE) * over * (1 + over / peak**2) / (1 + over)
    return np.minimum(np.where(value > _KNEE, rolled, value), 1.0)


def _chromaticities(primaries: int) -> tuple[tuple[float, float], ...]:
    return _CHROMATICITIES.get(primaries, _BT709)


def _to_xyz(primaries: int) -> Values:
    return _xyz_of(_chromaticities(primaries))


def _xyz_of(points: tuple[tuple[float, float], ...]) -> Values:
    columns = np.array([(x, y, 1 - x - y) for x, y in points[:3]], float).T
    scale = np.linalg.solve(columns, _white(points[3]))
    matrix: Values = columns * scale
    return matrix


def _white(point: tuple[float, float]) -> Values:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: tuple[float, float]) -> Values:
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    ratio = (bradford @ _white(_D65)) / (bradford @ _white(white))
    matrix: Values = np.linalg.inv(bradford) @ np.diag(ratio) @ bradford
    return matrix
