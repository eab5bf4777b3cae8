"""The colour tags of a picture (ITU-T H.273), and how far they can be obeyed."""

from dataclasses import dataclass

from sdstream.sources.decoding.colour.light import HLG, PQ, TRANSFERS

SCALER_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
"""Matrices that the scale filter decodes by itself, by the filter's names."""

ICTCP = 14
"""Matrix of BT.2100."""

CUBE_MATRICES = {
    8: "YCgCo",
    10: "BT.2020 constant luminance",
    11: "SMPTE 2085",
    12: "chroma-derived",
    13: "chroma-derived constant luminance",
    ICTCP: "ICtCp",
}
"""Matrices that need a cube."""

_UNSPECIFIED, _PAL = 2, 5
_TRANSFERS = {
    4: "gamma 2.2",
    5: "gamma 2.8",
    8: "linear",
    9: "log 100:1",
    10: "log 316:1",
    PQ: "PQ",
    17: "SMPTE 428",
    HLG: "HLG",
}
_AS_CANVAS = {0, 1, _UNSPECIFIED, 6, 7, 11, 12, 13, 14, 15}  # shown as they are, as in OBS; sRGB differs by 8 levels
_MATRIX_OF_PRIMARIES = {1: 1, 5: 5, 6: 6, 7: 6, 9: 9}
_PRIMARIES = {4: "BT.470M", 8: "film", 9: "BT.2020", 10: "XYZ", 11: "DCI-P3", 12: "Display P3"}


@dataclass(frozen=True, slots=True)
class Coding:
    """The tags of a picture, as numbers of H.273; a tag that nothing is known of has been replaced."""

    matrix: int
    """Matrix coefficients; 0 is RGB."""
    transfer: int
    primaries: int
    full: bool
    """Whether the whole range of codes is used."""
    bits: int
    """Bits of a code."""
    tone_map: bool = True
    """Whether PQ and HLG are brought to the canvas's brightness; False shows the values as they are."""
    white: float = 203.0
    """Nits of PQ and HLG that become the canvas's white."""

    @property
    def hdr(self) -> bool:
        """Whether the picture is PQ or HLG."""
        return self.transfer in {PQ, HLG}

    @property
    def by_matrix_alone(self) -> bool:
        """Whether the light needs no change: only the matrix has to be decoded."""
        if self.hdr:
            return not self.tone_map
        return self.transfer not in TRANSFERS and self.primaries not in _PRIMARIES

    @property
    def needs_cube(self) -> bool:
        """Whether the scale filter alone cannot show the picture."""
        return self.matrix in CUBE_MATRICES or not self.by_matrix_alone

    @property
    def notes(self) -> str:
        """The changes beyond matrix and range, for people; empty if there are none."""
        if self.by_matrix_alone:
            return _TRANSFERS[self.transfer] + " as it is" if self.hdr else ""
        transfer, primaries = _TRANSFERS.get(self.transfer, ""), _PRIMARIES.get(self.primaries, "")
        return ", ".join(part for part in (transfer, f"{primaries} primaries" if primaries else "") if part)


def plausible(matrix: int, transfer: int, primaries: int, *, whole_chroma: bool) -> bool:
    """Tell whether the other tags agree with a rare matrix. Encoders that tag a rare matrix on its own mean BT.709."""
    match matrix:
        case 8:
            return whole_chroma  # a lossless recording of a screen
        case 10:
            return primaries == 9
        case 11:
            return primaries == 10
        case 12 | 13:
            return primaries != _UNSPECIFIED
        case 14:
            return transfer in {PQ, HLG}
        case _:
            return True


def known_matrix(tag: int, lines: int, primaries: int) -> int:
    """Return the matrix to decode with: `tag`; if missing or reserved, by primaries, or by size without primaries."""
    if tag in SCALER_MATRICES or tag in CUBE_MATRICES:
        return tag
    return _MATRIX_OF_PRIMARIES.get(primaries) or (1 if lines >= 720 else 6)


def matrix_name(matrix: int) -> str:
    """Return the name of a matrix that can be decoded."""
    return SCALER_MATRICES.get(matrix) or CUBE_MATRICES[matrix]


def tag_name(tag: int) -> str:
    """Return the name of a matrix tag that is not obeyed."""
    names = {0: "RGB", **CUBE_MATRICES}
    return f"{names.get(tag, 'reserved')} ({tag})"


def missing(tag: int) -> bool:
    """Tell whether a matrix tag says nothing."""
    return tag == _UNSPECIFIED


def known_transfer(tag: int, matrix: int, primaries: int) -> int:
    """Return the transfer characteristics to decode with: BT.709's (1) where the tag is shown as the canvas is.

    DVDs and PAL encoders tag everything as BT.470BG (5), and mean the gamma of every other picture.
    """
    pal = tag == matrix == primaries == _PAL
    return 1 if pal or tag not in _TRANSFERS else tag


def is_reserved_transfer(tag: int) -> bool:
    """Tell whether nothing is known of a transfer tag."""
    return tag not in _AS_CANVAS and tag not in _TRANSFERS
