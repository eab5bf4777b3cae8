"""Looks made by arithmetic, from a picture (RGB uint8 [h, w, 3]) to a picture of the same size.

Lengths are in pixels and do not grow with the picture, like strokes on paper. Nothing is random and nothing depends on
the position in the picture, so a look moves with the scene.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]


def _unit(picture: Picture) -> Plane:
    return picture.astype(np.float32) / 255


def _bytes(picture: Plane) -> Picture:
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)


def _grey(picture: Picture) -> Plane:
    return _unit(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def _blur(plane: Plane, sigma: float) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)


def _smooth(picture: Picture, rounds: int = 2) -> Picture:
    for _ in range(rounds):
        picture = np.asarray(cv2.bilateralFilter(picture, 7, 40, 5), np.uint8)
    return picture


def _edges(grey: Plane, sigma: float = 1.2) -> Plane:
    """Return the strength of edges, 0..about 1."""
    smooth = _blur(grey, sigma)
    x, y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(x, y), np.float32)


def _lines(grey: Plane, fine: float = 1.0, sharp: float = 18.0) -> Plane:
    """Return ink lines by difference of Gaussians: 0 for ink, 1 for paper (Winnemoeller 2011)."""
    difference = _blur(grey, fine) - 0.98 * _blur(grey, fine * 1.6)
    return np.clip(1 + np.tanh(sharp * (difference - 0.004)), 0, 1).astype(np.float32)


def _ramp(value: Plane, *colours: tuple[int, int, int]) -> Plane:
    """Colour a plane of 0..1 by a ramp through evenly spaced colours."""
    stops = np.linspace(0, 1, len(colours))
    channels = [np.interp(value, stops, [colour[c] / 255 for colour in colours]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _steps(value: Plane, levels: int, softness: float = 0.15) -> Plane:
    """Posterise to `levels`, with soft steps against flicker."""
    scaled = value * (levels - 1)
    floor = np.floor(scaled)
    rise = np.clip((scaled - floor - 0.5) / softness + 0.5, 0, 1)
    return ((floor + rise) / (levels - 1)).astype(np.float32)


def _saturate(picture: Plane, gain: float) -> Plane:
    grey = picture.mean(axis=-1, keepdims=True)
    return np.clip(grey + gain * (picture - grey), 0, 1)


def _curve(plane: Plane, strength: float) -> Plane:
    """Add contrast around the middle."""
    smooth = plane * plane * (3 - 2 * plane)
    return np.clip(plane + strength * (smooth - plane), 0, 1)


def mixed(a: Picture, b: Picture) -> Picture:
    """Return the average of two pictures."""
    return np.asarray(cv2.addWeighted(a, 0.5, b, 0.5, 0), np.uint8)


def night(picture: Picture) -> Picture:
    """Deep blues, and yellow lights."""
    return _bytes(_ramp(_curve(_grey(picture), 0.4), (8, 16, 60), (26, 72, 165), (90, 155, 205), (252, 228, 120)))


def cartoon(picture: Picture) -> Picture:
    """Flat colours in few tones, inked outlines."""
    flat = _unit(_smooth(picture, 3))
    tone = flat.max(axis=-1, keepdims=True)
    toned = flat / np.maximum(tone, 1e-3) * _steps(tone**0.5, 4, 0.3)
    ink = _lines(_grey(picture), 1.4, 22)[..., None]
    return _bytes(_saturate(toned, 2.4) * (0.05 + 0.95 * ink))


def pencil(picture: Picture) -> Picture:
    """Graphite on white paper."""
    grey = _grey(picture)
    dodge = np.clip(grey / np.maximum(_blur(grey, 6), 0.05), 0, 1)
    drawn = dodge**1.8 * _lines(grey, 0.8, 12) ** 0.5
    return _bytes(_ramp(0.85 * drawn + 0.15 * grey, (45, 45, 52), (252, 252, 248)))


def charcoal(picture: Picture) -> Picture:
    """Dark, smudged sticks on grey paper."""
    grey = _curve(_blur(_grey(picture), 1.5), 1.0)
    ink = _lines(_grey(picture), 1.6, 14)
    tone = (0.25 + 0.75 * _steps(grey**0.8, 5, 0.6)) * (0.2 + 0.8 * ink)
    return _bytes(_ramp(np.clip(tone, 0, 1), (10, 9, 8), (184, 178, 168)))


def watercolor(picture: Picture) -> Picture:
    """Thin washes, light paper, darker rims."""
    washed = _unit(np.asarray(cv2.edgePreservingFilter(picture, flags=1, sigma_s=12, sigma_r=0.45), np.uint8))
    rim = _edges(_grey(_bytes(washed)), 1.0)[..., None]
    light = 1 - (1 - _saturate(washed, 1.6)) * 0.62
    return _bytes(light * (1 - 0.55 * np.clip(rim * 1.5, 0, 1)))


def _dabs(picture: Picture, radius: int) -> Plane:
    """Brush dabs that keep edges (Kuwahara 1976): each pixel takes the calmest of the four squares at its corners."""
    image, grey = _unit(picture), _grey(picture)
    side = radius + 1
    best, least = image, np.full(grey.shape, np.inf, np.float32)
    for anchor in ((0, 0), (radius, 0), (0, radius), (radius, radius)):
        mean = cv2.boxFilter(image, -1, (side, side), anchor=anchor, borderType=cv2.BORDER_REFLECT)
        first = cv2.boxFilter(grey, -1, (side, side), anchor=anchor, borderType=cv2.BORDER_REFLECT)
        second = cv2.boxFilter(grey * grey, -1, (side, side), anchor=anchor, borderType=cv2.BORDER_REFLECT)
        variance = second - first * first
        calmer = variance < least
        best = np.where(calmer[..., None], mean, best)
        least = np.where(calmer, variance, least)
    return best


def gouache(picture: Picture) -> Picture:
    """Brush dabs in matte colours: violet shadows, rosy middles, creamy lights."""
    split = _ramp(_grey(picture), (66, 62, 128), (205, 128, 122), (255, 238, 176))
    return _bytes(0.5 * _saturate(_curve(_dabs(picture, 5), 0.6), 1.9) + 0.5 * split)


def oil(picture: Picture) -> Picture:
    """Thick dabs in earths and ochres, with ridges at the turns of the brush."""
    dabs = _dabs(picture, 6)
    grey = _grey(_bytes(dabs))
    ridge = cv2.Sobel(_blur(grey, 0.8), cv2.CV_32F, 1, 0) - cv2.Sobel(_blur(grey, 0.8), cv2.CV_32F, 0, 1)
    earths = _ramp(grey, (30, 12, 20), (150, 55, 25), (225, 150, 50), (255, 236, 190))
    return _bytes(0.45 * _saturate(dabs, 2.2) + 0.55 * earths + 0.25 * np.asarray(ridge, np.float32)[..., None])


def pastel(picture: Picture) -> Picture:
    """Chalk, pale blue and orange."""
    grey = _blur(_grey(picture), 1.0)
    chalk = _ramp(_curve(grey, 0.5), (62, 120, 215), (160, 186, 226), (255, 178, 112), (255, 236, 204))
    return _bytes(0.75 * chalk + 0.25 * _saturate(_unit(_smooth(picture)), 1.5))


def pop(picture: Picture) -> Picture:
    """A poster in acid green, with red shadows."""
    tone = _steps(_curve(_blur(_grey(picture), 1.0), 0.5), 4, 0.3)
    return _bytes(_ramp(tone, (150, 0, 50), (225, 60, 30), (60, 210, 40), (205, 255, 90)))


def sepia(picture: Picture) -> Picture:
    """An old photograph: warm browns, paled blacks, soft lights."""
    grey = _curve(_blur(_grey(picture), 0.8), 0.3)
    return _bytes(_ramp(grey, (62, 42, 32), (168, 126, 88), (248, 224, 186)))


def ukiyo(picture: Picture) -> Picture:
    """A woodblock print: flat indigo, grey-blue and straw, red where the camera saw red, carved outlines."""
    flat = _smooth(picture, 3)
    tone = _steps(_curve(_grey(flat), 0.4), 4, 0.3)
    print_ = _ramp(tone, (28, 44, 92), (88, 128, 150), (222, 200, 150), (246, 234, 206))
    image = _unit(flat)
    red = np.clip(3 * (image[..., 0] - image[..., 1:].max(axis=-1)) - 0.2, 0, 1)[..., None]
    inked = print_ + 0.7 * red * (np.array([0.78, 0.26, 0.2], np.float32) - print_)
    return _bytes(inked * (0.2 + 0.8 * _lines(_grey(picture), 1.2, 20)[..., None]))


def neon(picture: Picture) -> Picture:
    """Glowing outlines in the dark, in the colours beside the outlines."""
    image = _unit(picture)
    line = np.clip(_edges(_grey(picture), 1.6) * 3.0, 0, 1)
    glow = np.clip(line + 0.8 * _blur(line, 4), 0, 1)[..., None]
    hue = _saturate(_blur(image, 3), 4.0)
    tint = 0.5 * hue + 0.5 * _ramp(_blur(_grey(picture), 4), (255, 40, 200), (60, 240, 255))
    return _bytes(np.clip(glow * tint * 1.3 + 0.06 * image + np.array([0.02, 0.0, 0.06], np.float32), 0, 1))


def thermal(picture: Picture) -> Picture:
    """A heat camera's false colours."""
    heat = _blur(_grey(picture), 1.5)
    return _bytes(
        _ramp(heat, (8, 4, 40), (80, 10, 130), (200, 30, 90), (250, 130, 20), (255, 235, 90), (255, 255, 235))
    )


def blueprint(picture: Picture) -> Picture:
    """White lines on a blue sheet."""
    grey = _grey(picture)
    line = np.clip((1 - _lines(grey, 0.9, 20)) * 1.2 + 0.6 * _edges(grey), 0, 1)
    return _bytes(_ramp(np.clip(line + 0.12 * grey, 0, 1), (18, 58, 130), (60, 110, 190), (235, 245, 255)))


def noir(picture: Picture) -> Picture:
    """Black-and-white film, hard light."""
    grey = _curve(_curve(_grey(picture), 1.0), 0.8)
    return _bytes(np.repeat((0.97 * grey)[..., None], 3, axis=-1))


def gameboy(picture: Picture) -> Picture:
    """Four greens of an old hand-held screen."""
    tone = _steps(_curve(_blur(_grey(picture), 1.0), 0.6), 4, 0.2)
    return _bytes(_ramp(tone, (15, 56, 15), (48, 98, 48), (139, 172, 15), (186, 208, 60)))


def cyberpunk(picture: Picture) -> Picture:
    """Teal shadows, magenta lights, wet glow."""
    image = _unit(picture)
    grey = _grey(picture)
    graded = 0.35 * _saturate(image, 1.6) + 0.75 * _ramp(
        _curve(grey, 0.8), (8, 10, 50), (20, 110, 150), (240, 60, 190), (255, 220, 250)
    )
    bright = np.clip(graded - 0.55, 0, 1)
    return _bytes(np.clip(graded * 0.95 + 1.1 * _blur(bright, 5), 0, 1))


def golden(picture: Picture) -> Picture:
    """Low sun: warm light, amber haze."""
    image = _curve(_unit(picture), 0.3)
    warm = image * np.array([1.18, 0.96, 0.62], np.float32) + np.array([0.08, 0.035, 0.0], np.float32)
    return _bytes(
        np.clip(warm + 0.35 * _blur(np.clip(warm - 0.5, 0, 1), 8) * np.array([1, 0.75, 0.3], np.float32), 0, 1)
    )


def riso(picture: Picture) -> Picture:
    """Two inks, pink and blue, on cream paper."""
    grey = _blur(_grey(picture), 0.8)
    pink = 1 - _steps(np.clip(grey * 1.15, 0, 1), 4, 0.4)
    blue = 1 - _steps(np.clip(grey * 1.7, 0, 1), 3, 0.4)
    paper = np.array([0.98, 0.95, 0.88], np.float32)
    inks = 1 - pink[..., None] * (1 - np.array([1.0, 0.28, 0.55], np.float32))
    return _bytes(paper * inks * (1 - blue[..., None] * (1 - np.array([0.15, 0.35, 0.75], np.float32))))


def bronze(picture: Picture) -> Picture:
    """A relief in bronze, lit from the upper left."""
    height = _blur(_grey(picture), 1.2)
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0) + cv2.Sobel(height, cv2.CV_32F, 0, 1)
    shade = np.clip(0.5 - 0.8 * np.asarray(slope, np.float32) + 0.25 * (height - 0.5), 0, 1)
    return _bytes(_ramp(shade, (28, 14, 6), (120, 72, 30), (215, 160, 84), (255, 240, 200)))


def dream(picture: Picture) -> Picture:
    """Soft bloom and pale, rosy colours."""
    image = _unit(picture)
    bloom = 1 - (1 - image) * (1 - 0.6 * _blur(image, 6))
    pale = 0.55 * _saturate(bloom, 1.1) + 0.45 * np.array([1.0, 0.7, 0.88], np.float32)
    return _bytes(pale)


def infrared(picture: Picture) -> Picture:
    """Colour infrared film: plants turn crimson, skies deepen."""
    image = _unit(_smooth(picture, 1))
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    near = np.clip(0.25 * red + 1.25 * green - 0.35 * blue + 0.12, 0, 1)
    return _bytes(_curve(np.stack([near, 0.75 * red, 0.35 * green + 0.75 * blue], axis=-1), 0.4))
