"""Streams a file by RTMP as it is, again and again, from a process of its own: nothing is decoded or encoded."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av

_URL = "SDSTREAM_PUBLISH_TO"  # not an argument, for those can be read by everybody on the machine, and it holds a key
_AGAIN = 0.3  # seconds until the next try


@contextmanager
def publisher(file: Path, url: str) -> Iterator[None]:
    """Stream `file` to `url` for as long as the block runs; connects again whenever it has to."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sdstream.clip.publisher", str(file)],
        env=os.environ | {_URL: url},
        stdin=subprocess.PIPE,  # which ends with us, however we end
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def stream(file: Path, url: str) -> None:
    """Stream until the connection ends, which raises av.FFmpegError."""
    with av.open(str(file)) as clip, av.open(url, "w", format="flv") as server:
        copies = {
            each.index: server.add_stream_from_template(each) for each in (*clip.streams.video, *clip.streams.audio)
        }
        began, shift = time.monotonic(), Fraction(0)  # seconds of the rounds before
        while True:
            end = shift
            for packet in clip.demux(*clip.streams.video, *clip.streams.audio):
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


def _end_with_our_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Stream the file of the command line; a server that is not there yet, or has gone, is tried again."""
    threading.Thread(target=_end_with_our_parent, daemon=True).start()
    while True:
        try:
            stream(Path(sys.argv[1]), os.environ[_URL])
        except av.FFmpegError:  # whoever started us sees that no picture comes
            time.sleep(_AGAIN)


if __name__ == "__main__":
    main()
