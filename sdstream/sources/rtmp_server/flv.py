"""FLV (Adobe's specification 10.1, annex E; Enhanced RTMP v2): writes tags, and reads the first bytes of each tag."""

import struct
from collections.abc import Mapping

from sdstream.sources.decoding.nal_units import has_entrance
from sdstream.sources.rtmp_server import amf0
from sdstream.sources.rtmp_server.chunks import AUDIO, DATA, VIDEO
from sdstream.sources.rtmp_server.events import Media

HAS_AUDIO, HAS_VIDEO = 4, 1
_AVC, _HEVC, _AAC, _ENHANCED_AUDIO = 7, 12, 10, 9
_KEY_FRAME, _COMMAND_FRAME = 1, 5
_ENHANCED_VIDEO = 0x80
_SEQUENCE_START = 0
_OLD_CODECS = {
    2: "H.263",
    3: "Screen",
    4: "VP6",
    5: "VP6",
    6: "Screen 2",
    7: "H.264",
    9: "MPEG-4",
    12: "HEVC",
}
_KNOWN_CODECS = {*_OLD_CODECS.values(), "avc1", "hvc1", "av01", "vp08", "vp09", "vvc1"}
_CONFIGURED = {"H.264", "HEVC", "avc1", "hvc1", "av01"}


def header(flags: int) -> bytes:
    """Return the start of a file with the tracks in `flags`; FFmpeg waits for exactly the tracks in `flags`."""
    return b"FLV\1" + bytes([flags]) + struct.pack(">II", 9, 0)


def tag(media: Media) -> bytes:
    """Return a tag with the back pointer."""
    size = len(media.payload)
    stamp = media.timestamp & 0xFFFFFFFF
    head = struct.pack(">B", media.kind) + size.to_bytes(3, "big") + (stamp & 0xFFFFFF).to_bytes(3, "big")
    return head + bytes([stamp >> 24, 0, 0, 0]) + media.payload + struct.pack(">I", size + 11)


def is_sequence_header(media: Media) -> bool:
    """Tell whether `media` is the configuration of a decoder, needed before the first picture or sound."""
    data = media.payload
    if len(data) < 2 or media.kind == DATA:
        return False
    if media.kind == VIDEO and not data[0] & _ENHANCED_VIDEO:
        return data[0] & 15 in {_AVC, _HEVC} and data[1] == 0
    if media.kind == AUDIO and data[0] >> 4 != _ENHANCED_AUDIO:
        return data[0] >> 4 == _AAC and data[1] == 0
    return data[0] & 15 == _SEQUENCE_START


def is_key_frame(media: Media) -> bool:
    """Tell whether a decoder can begin at `media`: a key frame by its flag, or by its content if the flag is missing.

    Encoders with gradual refresh send a single key frame, and recovery points afterwards.
    """
    if media.kind != VIDEO or len(media.payload) < 2 or is_sequence_header(media):
        return False
    return media.payload[0] >> 4 & 7 == _KEY_FRAME or has_entrance(media.payload)


def is_picture_or_sound(media: Media) -> bool:
    """Tell whether `media` can be decoded: not empty, and not a command to a player."""
    if media.kind == DATA or not media.payload:
        return False
    return media.kind == AUDIO or media.payload[0] >> 4 & 7 != _COMMAND_FRAME


def codec_of(media: Media) -> str:
    """Return the name of a picture's codec: the FourCC of Enhanced RTMP, or the name for the number in an old FLV."""
    first = media.payload[0]
    if first & _ENHANCED_VIDEO:
        return media.payload[1:5].decode("ascii", "backslashreplace")
    return _OLD_CODECS.get(first & 15, f"number {first & 15}")


def placeholder(timestamp: int) -> bytes:
    """Return a tag that makes FFmpeg prepare a track of AAC sound, 48 kHz stereo, before any sound has come.

    FFmpeg knows the tracks of the opening only; the real sound brings its own configuration.
    """
    return tag(Media(AUDIO, timestamp, b"\xaf\0\x11\x90"))


def is_aac(media: Media) -> bool:
    """Tell whether a sound message is AAC."""
    first = media.payload[0]
    return media.payload[1:5] == b"mp4a" if first >> 4 == _ENHANCED_AUDIO else first >> 4 == _AAC


def sound_or_picture_codec(media: Media) -> str:
    """Return the name of a message's codec, for a comparison with other messages of the same kind."""
    if media.kind == VIDEO:
        codec = codec_of(media)
        return {"avc1": "H.264", "hvc1": "HEVC"}.get(codec, codec)
    enhanced = media.payload[0] >> 4 == _ENHANCED_AUDIO
    return "aac" if is_aac(media) else str(media.payload[1:5] if enhanced else media.payload[0] >> 4)


def is_known_codec(name: str) -> bool:
    """Tell whether FFmpeg may know the codec that `codec_of` names."""
    return name in _KNOWN_CODECS


def needs_configuration(name: str) -> bool:
    """Tell whether the codec's pictures cannot be decoded without a sequence header."""
    return name in _CONFIGURED


def announced_tracks(media: Media) -> int | None:
    """Return the tracks announced in `media`; None unless the message is an onMetaData in readable AMF0."""
    values = amf0.decode(media.payload)
    if values and values[0] == "@setDataFrame":
        values = values[1:]
    if len(values) < 2 or values[0] != "onMetaData" or not isinstance(values[1], Mapping):
        return None
    facts = values[1].keys()
    flags = HAS_VIDEO if facts & {"videocodecid", "width", "videodatarate"} else 0
    return flags | (HAS_AUDIO if facts & {"audiocodecid", "audiosamplerate", "audiodatarate"} else 0)
