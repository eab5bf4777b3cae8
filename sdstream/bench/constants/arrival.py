"""`sinks.STAMPED_EARLY`: the delay of complete sound after the picture, for a publisher by RTMP."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sdstream.audio.lag import MARGIN
from sdstream.audio.ring import AudioRing
from sdstream.bench.constants.finding import ConstantFinding
from sdstream.clip.footage import write_scaled
from sdstream.clip.publisher import publisher
from sdstream.config.schema import Canvas
from sdstream.config.sources import RtmpSourceSettings
from sdstream.errors import Unavailable
from sdstream.frame import SAMPLE_RATE
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Histogram
from sdstream.ipc.mailbox import Mailbox, MailboxReader
from sdstream.log import LogChoice
from sdstream.sinks import STAMPED_EARLY
from sdstream.sources.rtmp_server import open_rtmp_server, run_rtmp_server
from sdstream.stages.source import COUNTERS, SourcePorts, run_source

FPS = 30
SECONDS = 8.0
_CANVAS = Canvas(width=640, height=360, fps=FPS)
_KEY = "bench"
_STARTING = 10.0  # longest wait for the first picture, seconds
_SETTLING = 2.0  # seconds at the start left out: the publisher sends the first group of pictures at once
_POLL = 0.001  # seconds between two polls


def measure(seconds: float = SECONDS) -> list[ConstantFinding]:
    """Publish the bundled clip on this machine and measure its arrival. Raises Unavailable if nothing arrives."""
    with TemporaryDirectory(prefix="sdstream-bench-") as folder:
        file = Path(folder) / "clip.mp4"
        write_scaled(file, _CANVAS.width, _CANVAS.height, FPS)
        with _source(file) as (reader, ring):
            return [finding(completions(reader, ring, seconds))]


def finding(after: list[float]) -> ConstantFinding:
    """Compare the constant with `after`: for each picture, the seconds until the sound was complete.

    A picture is half an interval old on average when a sink shows the picture (see `air.phase`), and meanwhile further
    sound arrives.
    """
    early, age = STAMPED_EARLY / SAMPLE_RATE, 0.5 / FPS
    half, nearly = (float(np.quantile(after, q)) for q in (0.5, 0.95))
    measured = {
        "sound complete after, s, median": half,
        "sound complete after, s, 95 %": nearly,
        "age of a picture when shown, s": age,
    }
    law = "covers the 95 %, with the margin of audio.lag, less the age"
    return ConstantFinding("sinks.STAMPED_EARLY", early, measured, law, holds=nearly + MARGIN - age <= early)


def completions(reader: MailboxReader, ring: AudioRing, seconds: float) -> list[float]:
    """Return, for each picture, the seconds from its arrival until the ring has sound up to the next picture's pts.

    Raises Unavailable if no picture comes.
    """
    if reader.take(_STARTING) is None:
        raise Unavailable("no picture of the publisher arrived; see the messages above, or try: sdstream demo")
    wait, begin = SoundWait(), time.monotonic() + _SETTLING
    while (now := time.monotonic()) < begin + seconds:
        frame = reader.take(_POLL)
        if frame is not None and now > begin:
            wait.picture_arrived(frame.pts, frame.posted)
        wait.sound_arrived(time.monotonic(), ring.span()[1] / SAMPLE_RATE)
    if not wait.complete_after:
        raise Unavailable("the publisher's sound did not arrive; see the messages above, or try: sdstream demo")
    return wait.complete_after


class SoundWait:
    """Measures for each picture the wait for complete sound. Time is an argument."""

    def __init__(self) -> None:
        self.complete_after: list[float] = []
        """Seconds from the arrival of each picture until the picture's sound was complete."""
        self._waiting: deque[tuple[float, float]] = deque()  # (pts at the end of the picture's sound, time of arrival)

    def picture_arrived(self, pts: float, arrived: float) -> None:
        """Note a picture, and the time of arrival."""
        self._waiting.append((pts + 1 / FPS, arrived))

    def sound_arrived(self, now: float, end: float) -> None:
        """Note at `now` that sound has arrived up to pts `end`."""
        while self._waiting and self._waiting[0][0] <= end:
            self.complete_after.append(max(0.0, now - self._waiting.popleft()[1]))


@contextmanager
def _source(file: Path) -> Iterator[tuple[MailboxReader, AudioRing]]:
    """Run the daemon's own RTMP server and source stage in threads, and a publisher of `file` in a process."""
    settings = RtmpSourceSettings.model_validate({"kind": "rtmp", "listen": "127.0.0.1:0", "key": _KEY})
    server = open_rtmp_server(settings)
    assert server is not None, "an RTMP source with `listen` has an RTMP server"
    box, ring = Mailbox(_CANVAS.width * _CANVAS.height * 3, 1), AudioRing()
    ports = SourcePorts(box.writer(), ring, Histogram(), server.address)
    contexts = [Context.alone(), Context.alone(*COUNTERS)]
    threads = [
        threading.Thread(target=run_rtmp_server, args=(contexts[0], *server.arguments)),
        threading.Thread(target=run_source, args=(contexts[1], settings, _CANVAS, ports)),
    ]
    for thread in threads:
        thread.start()
    try:
        url = f"rtmp://127.0.0.1:{server.public.getsockname()[1]}/live/{_KEY}"
        with publisher(file, url, LogChoice("error")):
            yield box.reader(0), ring
    finally:
        for context in contexts:
            context.stop()
        for thread in threads:
            thread.join(10.0)
        server.close()
        box.close()
