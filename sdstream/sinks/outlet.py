"""A container that takes the packets of an encoded show: the muxer's side of a server or a file."""

from fractions import Fraction

import av
from av.container import OutputContainer
from av.stream import Stream

from sdstream.errors import ConfigError
from sdstream.sinks.encoded_show import EncodedShow, Packet, Packets

_HEVC = ("libx265", "hevc_nvenc")
_TAGGED = ("mp4", "mov", "ipod", "ismv")  # QuickTime and Safari play HEVC in MP4 under this tag only


class Outlet:
    """Copies packets of an `EncodedShow` into a container, so that several outlets share the encoders."""

    def __init__(self, container: OutputContainer, show: EncodedShow) -> None:
        """Add the show's streams to `container`. Raises ConfigError when the format cannot hold the codecs."""
        self._container: OutputContainer | None = container
        self._start = Fraction(0)
        try:
            self._video = container.add_stream_from_template(show.video)
            self._audio = container.add_stream_from_template(show.audio)
            if show.video.codec_context.name in _HEVC and container.format.name in _TAGGED:
                self._video.codec_tag = "hvc1"
        except ValueError as error:  # the format cannot hold this codec
            raise ConfigError(
                f"sinks: format: {error}; expected a format such as flv, mp4 or matroska, or another ending of the file"
            ) from error

    def open(self) -> None:
        """Connect, and write the header: a wrong key fails before the first picture. Raises av.FFmpegError."""
        assert self._container is not None
        self._container.start_encoding()

    def start_at(self, packet: Packet) -> None:
        """Make this packet the start of the timeline; earlier packets are left out."""
        self._start = (packet.dts or 0) * packet.time_base

    def put(self, packets: Packets) -> None:
        """Send packets, in order. Raises av.FFmpegError."""
        assert self._container is not None
        for packet in packets:
            copy = self._copied(packet)
            if not self._start or (copy.dts is not None and copy.dts >= 0):
                self._container.mux(copy)

    def close(self) -> None:
        """Write the end of the container; closing twice is harmless. Raises av.FFmpegError."""
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _copied(self, packet: Packet) -> "av.Packet[Stream]":
        copy: av.Packet[Stream] = av.Packet(bytes(packet))
        shift = round(self._start / packet.time_base)
        copy.pts, copy.dts, copy.duration = (packet.pts or 0) - shift, (packet.dts or 0) - shift, packet.duration
        copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
        copy.stream = self._video if isinstance(packet.stream, av.VideoStream) else self._audio
        return copy
