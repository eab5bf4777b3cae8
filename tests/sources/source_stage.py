"""Runs the source's stage body in a thread of the test, as its process would."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sdstream.audio.ring import AudioRing
from sdstream.config.schema import Canvas
from sdstream.config.sources import AnySource
from sdstream.errors import SdstreamError
from sdstream.frame import Frame
from sdstream.ipc.context import Context
from sdstream.ipc.counters import Histogram
from sdstream.ipc.mailbox import Mailbox, MailboxReader
from sdstream.sources import marker
from sdstream.sources.rtmp_server import RtmpServer, RtmpServerAddress, open_rtmp_server, run_rtmp_server
from sdstream.stages import source as body
from tests.harness.wait import until

CANVAS = Canvas(width=320, height=180, fps=30)


@dataclass
class RunningSource:
    """The body at work, and what comes out of it."""

    context: Context
    reader: MailboxReader
    ring: AudioRing
    latency: Histogram
    thread: threading.Thread
    failed: list[SdstreamError] = field(default_factory=list)

    @property
    def state(self) -> str:
        return body.STATES[self.context.counters.count("state")]

    def count(self, name: str) -> int:
        return self.context.counters.count(name)

    @property
    def decoded(self) -> int:
        """Pictures that were shown, or left out because a newer one was there already."""
        return self.count("frames") + self.count("queued_pictures")

    def waits_for(self, state: str, seconds: float = 15.0) -> None:
        until(lambda: self.state == state, seconds, f"the source is {state}")

    def next_frame(self, seconds: float = 10.0) -> Frame:
        frame = self.reader.take(seconds)
        assert frame is not None, f"no picture within {seconds} s; the source is {self.state}"
        return frame

    def next_mark(self, seconds: float = 10.0) -> marker.Mark:
        mark = marker.read(self.next_frame(seconds).pixels)
        assert mark is not None
        return mark

    def ends(self) -> None:
        """Wait for the body's own end."""
        self.thread.join(10)
        assert not self.thread.is_alive()


@contextmanager
def running_source(settings: AnySource, server: RtmpServerAddress | None = None) -> Iterator[RunningSource]:
    """Run the body as long as the block lasts; it must end when it is asked to."""
    box, ring, latency = Mailbox(CANVAS.width * CANVAS.height * 3, 1), AudioRing(), Histogram()
    context = Context.alone(*body.COUNTERS)
    ports = body.SourcePorts(box.writer(), ring, latency, server)
    it = RunningSource(context, box.reader(0), ring, latency, threading.Thread())

    def work() -> None:
        try:
            body.run_source(context, settings, CANVAS, ports)
        except SdstreamError as error:
            it.failed.append(error)

    it.thread = threading.Thread(target=work)
    it.thread.start()
    try:
        yield it
    finally:
        context.stop()
        it.ends()
        box.close()


@contextmanager
def running_rtmp_server(settings: AnySource) -> Iterator[RtmpServerAddress]:
    """Run the RTMP server as long as the block lasts."""
    server = open_rtmp_server(settings)
    assert server is not None
    with serving(server):
        yield server.address


@contextmanager
def serving(server: RtmpServer) -> Iterator[None]:
    """Run an RTMP server that is open already, and close it."""
    context = Context.alone()
    thread = threading.Thread(target=run_rtmp_server, args=(context, *server.arguments))
    thread.start()
    try:
        yield
    finally:
        context.stop()
        thread.join(10)
        assert not thread.is_alive()
        server.close()
