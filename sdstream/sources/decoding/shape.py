"""Everything about a decoded picture that decides a conversion: size, format, colour tags, aspect and rotation."""

from dataclasses import dataclass
from fractions import Fraction

import av

from sdstream.config.sources import PictureSettings
from sdstream.sources.decoding.colour import coding
from sdstream.sources.decoding.colour.coding import CUBE_MATRICES, SCALER_MATRICES, Coding

_LIMITED, _FULL = 1, 2  # AVColorRange
_RGB = 0  # AVColorSpace
_UNSPECIFIED = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that decides a conversion; a new shape needs a new filter graph."""

    width: int
    height: int
    format: str
    matrix: int
    """AVColorSpace as tagged; 2 is unspecified."""
    range: int
    """AVColorRange as tagged; 0 is unspecified."""
    aspect: Fraction
    """Sample aspect ratio: width / height of a pixel."""
    turns: int
    """Quarter turns clockwise until the picture is upright."""
    transfer: int = _UNSPECIFIED
    """AVColorTransferCharacteristic as tagged; 2 is unspecified."""
    primaries: int = _UNSPECIFIED
    """AVColorPrimaries as tagged; 2 is unspecified."""

    @classmethod
    def of(cls, frame: av.VideoFrame, aspect: Fraction | None = None) -> "Shape":
        """Read a frame's shape; `aspect` comes from the container or the codec (None or 0: square)."""
        return cls(
            width=frame.width,
            height=frame.height,
            format=frame.format.name,
            matrix=int(frame.colorspace),
            range=int(frame.color_range),
            aspect=aspect if aspect else Fraction(1),
            turns=round(-frame.rotation / 90) % 4,  # the display matrix counts counter-clockwise
            transfer=int(frame.color_trc),
            primaries=int(frame.color_primaries),
        )

    def coding(self, settings: PictureSettings) -> Coding:
        """Return the colour tags to decode with; `settings` may replace the matrix, and switch off tone mapping."""
        bits = max((part.bits for part in av.VideoFormat(self.format).components), default=8)
        return Coding(
            matrix=self._known_matrix(settings),
            transfer=coding.known_transfer(self.transfer, self.matrix, self.primaries),
            primaries=self.primaries,
            full=self.full_range,
            bits=bits,
            tone_map=settings.hdr == "tone_map",
            white=settings.hdr_white,
        )

    def _known_matrix(self, settings: PictureSettings) -> int:
        if settings.matrix in SCALER_MATRICES.values():
            return next(number for number, name in SCALER_MATRICES.items() if name == settings.matrix)
        believed = settings.matrix == "as_tagged" or coding.plausible(
            self.matrix, self.transfer, self.primaries, whole_chroma=self._whole_chroma
        )
        no_use = self.rgb or self.grey or (self.alpha and self.matrix in CUBE_MATRICES)
        tag = self.matrix if believed and not no_use else _UNSPECIFIED
        return coding.known_matrix(tag, self.height, self.primaries)

    @property
    def _whole_chroma(self) -> bool:
        """Whether chroma has as many samples as luma (4:4:4)."""
        form = av.VideoFormat(self.format)
        return form.chroma_width(16) == form.chroma_height(16) == 16

    @property
    def full_range(self) -> bool:
        """Whether 0-255 is used for luma, and not 16-235."""
        if self.range:
            return self.range == _FULL
        return self.grey or self.rgb or self.format.startswith("yuvj")

    @property
    def grey(self) -> bool:
        """Whether the format has luma only."""
        return self.format.startswith(("gray", "ya"))

    @property
    def rgb(self) -> bool:
        """Whether the format holds red, green and blue, or a palette of such colours."""
        return av.VideoFormat(self.format).is_rgb or self.format == "pal8"

    @property
    def alpha(self) -> bool:
        """Whether the format has transparency."""
        return any(part.is_alpha for part in av.VideoFormat(self.format).components)

    def colour(self, settings: PictureSettings) -> str:
        """Return the matrix, range and further changes, with "(assumed)" where a tag is missing, for people."""
        used = self.coding(settings)
        matrix = "rgb" if self.rgb else coding.matrix_name(used.matrix)
        known = self.rgb or (self.matrix == used.matrix and self.range != 0)
        text = f"{matrix} {'full' if self.full_range else 'limited'}"
        return ", ".join(part for part in (text if known else f"{text} (assumed)", used.notes) if part)

    def doubts(self, settings: PictureSettings) -> dict[str, str]:
        """Return the tags that are not obeyed, or are obeyed and rare enough to be a mistake; for the log."""
        found = {}
        chosen = settings.matrix not in {"auto", "as_tagged"} or self.rgb or self.grey or coding.missing(self.matrix)
        used = self.coding(settings)
        if not chosen and used.matrix != self.matrix:
            found["matrix"] = f"{coding.tag_name(self.matrix)}, shown as {coding.matrix_name(used.matrix)}"
        elif not chosen and used.matrix in CUBE_MATRICES:
            found["matrix"] = f"{coding.matrix_name(used.matrix)}, shown as tagged"
        if coding.is_reserved_transfer(self.transfer):
            found["transfer"] = f"{coding.tag_name(self.transfer)}, shown as BT.709"
        return found
