"""FFmpeg's own lines about a connection, which say more than FFmpeg's error numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import av.logging


@contextmanager
def ffmpeg_lines(kept: list[str]) -> Iterator[None]:
    """Put FFmpeg's errors of this thread into `kept`, as "rtmp: Server error: …".

    Listening is short: PyAV takes the interpreter lock for each line, and threads of an encoder may wait for the lock.
    """
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as lines:
            yield
    finally:
        kept += [f"{name}: {line.strip()}" for _, name, line in lines]
        av.logging.set_level(before)
