"""A served stream, watched by FFmpeg's demuxer: pictures, sound, latency, and viewers of every kind."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import av
import numpy as np
import pytest
from pydantic import ValidationError

from sdstream.config.sinks import ServeSinkSettings
from sdstream.sinks.serve.stream import PACKET, entry
from sdstream.sources import marker
from tests.harness.pipeline_run import PipelineRun
from tests.harness.wait import until

SERVE = {"kind": "serve", "listen": "127.0.0.1:0", "preset": "ultrafast", "bitrate": "1M"}


@pytest.fixture(scope="module")
def run() -> Iterator[PipelineRun]:
    with PipelineRun({"kind": "testsrc"}, SERVE) as started:
        started.showing("live", "serve", 40)
        yield started


def port(run: PipelineRun) -> int:
    return round(run.sink("serve").facts["port"])


def ask(run: PipelineRun, request: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port(run)), 5)
    connection.sendall(request.encode())
    return connection


def watch(run: PipelineRun, seconds: float) -> tuple[list[float], int, int]:
    """Return the age of each picture, the number of samples, and the most counters between two pictures."""
    ages, samples, counters = [], 0, []
    options = {"analyzeduration": "500000", "fpsprobesize": "0", "fflags": "nobuffer"}
    with av.open(f"http://127.0.0.1:{port(run)}/show.ts", options=options, timeout=(10, 5)) as container:
        container.streams.video[0].thread_type = "SLICE"
        until_then = time.monotonic() + seconds
        for packet in container.demux():
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):
                    samples += frame.samples
                elif mark := marker.read(frame.to_ndarray(format="rgb24")):
                    ages.append(mark.age(time.monotonic()))
                    counters.append(mark.counter)
            if time.monotonic() > until_then:
                break
    return ages, samples, int(max(np.diff(counters)))


def test_a_player_gets_pictures_and_sound_soon(run: PipelineRun) -> None:
    ages, samples, _ = watch(run, 4.0)
    assert len(ages) > 60
    assert samples > 2 * 48_000
    assert np.median(ages[-30:]) < 0.5  # 0.2 s on an idle machine: the sound that the picture waits for


def arrivals(port: int, seconds: float) -> list[float]:
    """Watch for some seconds from the first picture on, and return when each picture came."""
    times: list[float] = []
    options = {"analyzeduration": "500000", "fpsprobesize": "0", "fflags": "nobuffer"}
    with av.open(f"http://127.0.0.1:{port}/show.ts", options=options, timeout=(10, 5)) as container:
        container.streams.video[0].thread_type = "SLICE"
        for _ in container.decode(video=0):
            times.append(time.monotonic())
            if times[-1] - times[0] > seconds:
                break
    return times


def unread(port: int) -> socket.socket:
    """Ask for the stream, and never read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # before connecting: else the window is large
    connection.connect(("127.0.0.1", port))
    connection.sendall(b"GET /show.ts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return connection


def test_viewers_that_never_read_are_left_behind_and_the_rest_do_not_notice() -> None:
    with PipelineRun({"kind": "testsrc"}, {**SERVE, "bitrate": "8M"}) as run, ExitStack() as stalled:
        run.showing("live", "serve", 40)
        assert run.sink("serve").facts["left_behind"] == 0
        began = time.monotonic()
        for _ in range(3):
            stalled.enter_context(unread(port(run)))
        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(arrivals, port(run), 6.0)
            run.wait(lambda report: report.sinks[0].facts["left_behind"] >= 3, 5)  # 1.4 MB at 1 MB a second, each
            times = np.array(watching.result(30))
        run.wait(lambda report: report.sinks[0].facts["connections"] == 0, 25)  # nothing taken for ten seconds
        assert 10 < time.monotonic() - began < 25
    settled = times[times > times[0] + 1.0]  # a player takes the pictures of the opening in a flash
    assert len(settled) >= 27 * 5
    assert np.diff(settled).max() < 1.0


def test_several_viewers_see_the_same_show(run: PipelineRun) -> None:
    requests = [ask(run, "GET /show.ts HTTP/1.0\r\n\r\n") for _ in range(6)]
    run.wait(lambda report: report.sinks[0].facts["connections"] >= 6)
    for connection in requests:
        with connection:
            head = until(lambda here=connection: here.recv(4096), 5, "an answer")
            assert head.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
        ("GET /show.ts?x=1 HTTP/1.1\r\nHost: localhost:8401\r\n\r\n", b"200"),
        ("GET /show.ts HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"403"),
        ("POST /show.ts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"405"),
        ("HEAD /show.ts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"200"),
        ("nonsense\r\n\r\n", b"405"),
    ],
)
def test_a_request_gets_its_answer(run: PipelineRun, request_: str, status: bytes) -> None:
    with ask(run, request_) as connection:
        assert connection.recv(64).split(b" ")[1] == status


def test_a_request_without_an_end_is_dropped(run: PipelineRun) -> None:
    with ask(run, "GET /show.ts HTTP/1.1\r\n" + "X: y\r\n" * 3000) as connection:
        connection.settimeout(10)
        try:
            assert connection.recv(64) == b""
        except ConnectionResetError:
            assert True  # bytes were unread: the system resets the connection


def test_a_viewer_begins_with_tables_and_a_key_frame(run: PipelineRun) -> None:
    with ask(run, "GET /show.ts HTTP/1.0\r\n\r\n") as connection:
        data = b""
        while len(data) < 20_000:
            data += connection.recv(4096)
    body = data.partition(b"\r\n\r\n")[2]
    assert entry(body[: len(body) // PACKET * PACKET]) == 0


def test_other_machines_need_a_key() -> None:
    with pytest.raises(ValidationError, match="needs a `key`"):
        ServeSinkSettings.model_validate({"kind": "serve", "listen": "0.0.0.0:8401"})
