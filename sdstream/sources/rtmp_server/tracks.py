"""A single track and codec of a publication with several (Enhanced RTMP v2: multitrack and ModEx packets)."""

from collections.abc import Iterator
from dataclasses import replace

from sdstream.sources.rtmp_server import flv
from sdstream.sources.rtmp_server.chunks import AUDIO, VIDEO
from sdstream.sources.rtmp_server.events import Media

_DEFAULT = 0
_ENHANCED_AUDIO, _ENHANCED_VIDEO = 9, 0x80
_MULTITRACK = {AUDIO: 5, VIDEO: 6}
_MOD_EX = 7
_ONE_TRACK, _MANY_CODECS = 0, 2
_MOST_HEADER = 64 * 1024  # bytes
_FOR_GOOD = 25
"""Messages of another codec in a row that count as a change; a stray message or header is left out."""


def single_track(media: Media, track: int) -> Media | None:
    """Return the part of `track` in `media` as a message of a single track; None if `track` has no part in `media`.

    A message without track ids belongs to track 0. Modifiers of the packet (ModEx: nanoseconds) are left out. A cut
    message counts as a message of another track.
    """
    data = media.payload
    if not _enhanced(media) or data[0] & 15 not in {_MOD_EX, _MULTITRACK[media.kind]}:
        return media if track == _DEFAULT else None
    packet, offset = data[0] & 15, 1
    while packet == _MOD_EX:
        size, offset = _integer(data, offset, 1) + 1, offset + 1
        if size == 256:
            size, offset = _integer(data, offset, 2) + 1, offset + 2
        offset += size
        packet, offset = _integer(data, offset, 1) & 15, offset + 1
    rest = data[offset:]
    if packet == _MULTITRACK[media.kind]:
        packet = _integer(rest, 0, 1) & 15
        rest = dict(_tracks(rest)).get(track, b"")
    elif track != _DEFAULT:
        return None
    return replace(media, payload=bytes([data[0] & 0xF0 | packet]) + rest) if rest else None


def _enhanced(media: Media) -> bool:
    first = _integer(media.payload, 0, 1)
    return first >= _ENHANCED_VIDEO if media.kind == VIDEO else first >> 4 == _ENHANCED_AUDIO


def _tracks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the id, and FourCC with body, of each track in the part of a multitrack message after the first byte."""
    layout, offset = _integer(data, 0, 1) >> 4, 1
    codec = b""
    if layout != _MANY_CODECS:
        codec, offset = data[1:5], 5
    while offset < len(data):
        if layout == _MANY_CODECS:
            codec, offset = data[offset : offset + 4], offset + 4
        track, offset = _integer(data, offset, 1), offset + 1
        size = len(data) - offset
        if layout != _ONE_TRACK:
            size, offset = _integer(data, offset, 3), offset + 3
        if offset + size > len(data):
            return
        yield track, codec + data[offset : offset + size]
        offset += size


def _integer(data: bytes, offset: int, size: int) -> int:
    """Return the big-endian integer at `offset`; cut bytes count as 0."""
    return int.from_bytes(data[offset : offset + size].ljust(size, b"\0"), "big")


class CodecGuard:
    """The codec of each kind of message."""

    def __init__(self) -> None:
        self._codecs: dict[int, str] = {}
        self._strangers: dict[int, int] = {}
        self._changed: set[int] = set()
        self.headers: dict[int, Media] = {}
        """The last configuration of another codec, of each kind."""

    def accepts(self, media: Media) -> bool:
        """Tell whether `media` has the codec of its track; the first message decides."""
        codec = flv.sound_or_picture_codec(media)
        if self._codecs.setdefault(media.kind, codec) == codec:
            self._strangers[media.kind] = 0
            return True
        self._strangers[media.kind] = self._strangers.get(media.kind, 0) + 1
        if flv.is_sequence_header(media) and len(media.payload) <= _MOST_HEADER:
            self.headers[media.kind] = media
        if self._strangers[media.kind] < _FOR_GOOD:
            return False
        self._codecs[media.kind] = codec
        self._changed.add(media.kind)
        return True

    def changed(self, media: Media) -> bool:
        """Tell once whether the codec of the kind of `media` has changed for good."""
        if media.kind not in self._changed:
            return False
        self._changed.discard(media.kind)
        return True
