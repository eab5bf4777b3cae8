"""The show as MPEG-TS bytes, and the places in the bytes where a viewer can begin."""

import av

from sdstream.errors import Lost
from sdstream.sinks.encoded_show import EncodedShow, Packets
from sdstream.sinks.outlet import Outlet

PACKET = 188
"""Bytes of a transport packet (ISO 13818-1, section 2.4.3)."""
_SYNC = 0x47
_OPTIONS = {
    "flush_packets": "1",
    "mpegts_flags": "+pat_pmt_at_frames",  # a viewer begins at a key frame, and needs the tables in front
    "pes_payload_size": "0",  # sound leaves at once; FFmpeg would collect several packets
    "muxdelay": "0",
    "muxpreload": "0",
    "max_delay": "0",
}


class TransportStream:
    """A muxer into memory."""

    def __init__(self, show: EncodedShow) -> None:
        self.name = "show.ts"
        self._made = bytearray()
        self._outlet = Outlet(av.open(self, "w", format="mpegts", container_options=_OPTIONS), show)
        self._outlet.open()

    def write(self, data: bytes) -> int:
        """Take bytes from FFmpeg."""
        self._made += data
        return len(data)

    def bytes_of(self, packets: Packets) -> bytes:
        """Return the transport packets that are due after `packets`. Raises Lost when FFmpeg refuses a packet."""
        try:
            self._outlet.put(packets)
        except av.FFmpegError as error:
            raise Lost(f"the served stream broke off: {error}; the stream begins again") from error
        made, self._made = bytes(self._made), bytearray()
        return made


def entry(data: bytes) -> int | None:
    """Return the place of the first tables in front of a key frame, in whole transport packets; None without."""
    tables: int | None = None
    for place in range(0, len(data), PACKET):
        assert data[place] == _SYNC
        number = (data[place + 1] & 0x1F) << 8 | data[place + 2]
        if number == 0:  # the program association table
            tables = place
        has_field = data[place + 3] & 0x20 and data[place + 4]
        if has_field and data[place + 5] & 0x40 and number == _VIDEO and tables is not None:  # random access indicator
            return tables
    return None


_VIDEO = 0x100  # FFmpeg numbers the streams from here, and the picture is the first
