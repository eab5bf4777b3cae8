"""A live publisher keeps its picture, whatever strangers send to the same port."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sdstream.sources.rtmp_server.protocol import HANDSHAKE
from tests.harness.pipeline_run import KEY, PipelineRun, free_port
from tests.harness.publisher import Publisher
from tests.sources.rtmp_server.rtmp_client import ask, connect

pytestmark = [pytest.mark.fault, pytest.mark.slow]

PEERS, SECONDS = 16, 5.0
HELLO = b"\3" + bytes(2 * HANDSHAKE)
SOUND = b"\4\0\0\0\0\0\1\x08\1\0\0\0\xaf"  # a message of a byte; b"\xc4\xaf" is the next
SMALL_CHUNKS = b"\2\0\0\0\0\0\4\1\0\0\0\0\0\0\0\1\4\0\0\0\0\xff\xff\x08\1\0\0\0\xaf"
PING = b"\4\0\0\0\0\0\1\4\1\0\0\0\0"
FLOODS = {
    "messages of a byte": (HELLO + SOUND, b"\xc4\xaf" * 20_000),
    "chunks of a byte": (HELLO + SMALL_CHUNKS, b"\xc4\xaf" * 20_000),
    "pings": (HELLO + PING, b"\xc4\0" * 20_000),
    "wrong keys": (HELLO + connect() + ask("guess"), b""),
    "nothing": (b"", b""),
}


@contextmanager
def strangers(port: int, first: bytes, then: bytes) -> Iterator[None]:
    """Let strangers send `first` and then `then` without end; whoever is thrown out comes again."""
    over = threading.Event()

    def stranger() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as peer:
                peer.sendall(first)
                while then and not over.is_set():
                    peer.sendall(then)
                peer.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=stranger) for _ in range(PEERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def longest_gap(show: PipelineRun, seconds: float) -> float:
    """Return the longest time without a new picture from the source."""
    began = last = time.monotonic()
    frames, longest = -1, 0.0
    while (now := time.monotonic()) - began < seconds:
        if (seen := show.report.source.frames) != frames:
            longest, last, frames = max(longest, now - last), now, seen
        time.sleep(0.02)
    return max(longest, time.monotonic() - last)


@pytest.mark.parametrize(("first", "then"), FLOODS.values(), ids=FLOODS)
def test_a_live_picture_does_not_notice_a_flood_of_strangers(first: bytes, then: bytes) -> None:
    port = free_port()
    with PipelineRun({"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY}) as show:
        show.showing("slate", seconds=40)
        with Publisher(f"rtmp://127.0.0.1:{port}/live/{KEY}"):
            before = show.showing("live", seconds=40).sinks[0]
            process = show.pipeline.pids()["rtmp_server"]
            with strangers(port, first, then):
                assert longest_gap(show, SECONDS) < 0.5
            assert show.pipeline.pids()["rtmp_server"] == process
            assert show.sink().slate == before.slate
