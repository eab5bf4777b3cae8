"""Streams a file by RTMP in a loop, from a separate process, without decoding or encoding."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Never

from sdstream import log
from sdstream.ipc.child_process import ChildProcess
from sdstream.log import LogChoice

_RETRY_DELAY = 0.3  # seconds
_TIMEOUT = (5.0, 5.0)  # seconds, for connecting and for each packet; PyAV 18 connects without a limit


@contextmanager
def publisher(file: Path, url: str, logs: LogChoice) -> Iterator[None]:
    """Stream `file` to `url` while the block runs; log each lost connection at level `debug`, and connect again."""
    with ChildProcess("publisher", _publish, file, url, logs):
        yield


def stream(file: Path, url: str) -> Never:
    """Stream `file` in a loop. Raises av.FFmpegError at the end of the connection."""
    import av  # late: the process that starts a publisher does without av

    with av.open(str(file)) as clip, av.open(url, "w", format="flv", timeout=_TIMEOUT) as server:
        streams = (*clip.streams.video, *clip.streams.audio)
        copies = {each.index: server.add_stream_from_template(each) for each in streams}
        began, shift = time.monotonic(), Fraction(0)  # seconds of the earlier rounds
        while True:
            end = shift
            for packet in clip.demux(*streams):
                if packet.dts is None or packet.pts is None:  # the end of a stream
                    continue
                unit = packet.time_base
                at = packet.dts * unit + shift
                end = max(end, at + (packet.duration or 0) * unit)
                packet.pts, packet.dts = packet.pts + int(shift / unit), packet.dts + int(shift / unit)
                packet.stream = copies[packet.stream.index]
                time.sleep(max(0.0, began + float(at) - time.monotonic()))
                server.mux(packet)
            shift = end
            clip.seek(0)


def _publish(file: Path, url: str, logs: LogChoice) -> None:
    log.configure(logs.level, json=logs.json)
    import av

    while True:
        try:
            stream(file, url)
        except av.FFmpegError as error:
            # The URL stays out of the log, because the URL holds a stream key.
            log.get_logger().debug("the publisher connects again", reason=error.strerror)
            time.sleep(_RETRY_DELAY)
