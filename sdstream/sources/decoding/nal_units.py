"""Looks into the pictures of H.264 and HEVC in FLV for a place where a decoder can begin (ITU-T H.264, H.265)."""

from collections.abc import Iterator

_AVC, _HEVC = 7, 12
_ENHANCED = 0x80
_FOURCC = {b"avc1": _AVC, b"hvc1": _HEVC}
_CODED, _CODED_WITHOUT_OFFSET = 1, 3  # packet types of Enhanced RTMP
_MOST = 16  # units of a picture to look at: parameter sets and messages come before the slices
_MOST_MESSAGES = 16
_IDR = 5
_SEI = {_AVC: 6, _HEVC: 39}
_HEVC_ENTRANCES = range(16, 22)  # BLA, IDR, CRA
_RECOVERY_POINT = 6


def has_entrance(payload: bytes) -> bool:
    """Tell whether a video message holds an IDR picture, a random access picture or a recovery point."""
    codec, start = _body(payload)
    return codec != 0 and any(_is_entrance(codec, unit) for unit in _units(payload, start))


def _body(payload: bytes) -> tuple[int, int]:
    """Return the codec and the place of the first unit; codec 0 for anything but pictures of H.264 and HEVC."""
    first = payload[0]
    if first & _ENHANCED:
        offset = {_CODED: 8, _CODED_WITHOUT_OFFSET: 5}.get(first & 15, 0)
        return (_FOURCC.get(payload[1:5], 0), offset) if offset else (0, 0)
    known = first & 15 in {_AVC, _HEVC} and payload[1] == 1
    return (first & 15, 5) if known else (0, 0)


def _units(payload: bytes, start: int) -> Iterator[bytes]:
    """Yield the first bytes of each unit; the lengths have four bytes in all FLV files of practice."""
    for _ in range(_MOST):
        if start + 5 >= len(payload):
            return
        yield payload[start + 4 : start + 4 + 256]
        start += 4 + int.from_bytes(payload[start : start + 4], "big")


def _is_entrance(codec: int, unit: bytes) -> bool:
    kind = unit[0] & 31 if codec == _AVC else unit[0] >> 1 & 63
    if kind == _SEI[codec]:
        return _RECOVERY_POINT in _messages(unit[1 if codec == _AVC else 2 :])
    return kind == _IDR if codec == _AVC else kind in _HEVC_ENTRANCES


def _messages(data: bytes) -> Iterator[int]:
    """Yield the payload types of an SEI unit."""
    place = 0
    for _ in range(_MOST_MESSAGES):
        kind, place = _number(data, place)
        size, place = _number(data, place)
        if place > len(data):
            return
        yield kind
        place += size


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Return a number made of bytes of 255 and a last byte, and the place after the number."""
    number = 0
    while place < len(data) and data[place] == 255:
        number, place = number + 255, place + 1
    return number + (data[place] if place < len(data) else 0), place + 1
