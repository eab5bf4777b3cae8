"""Every sink goes on at its rate, whatever an RTMP publisher or a stranger does."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sdstream.supervisor.report import Report, SinkReport
from tests.harness.pipeline_run import KEY, PipelineRun, free_port, share_since
from tests.harness.publisher import Publisher

pytestmark = [pytest.mark.fault, pytest.mark.slow]


@dataclass
class OnAir:
    """A show that listens for a publisher."""

    show: PipelineRun
    port: int

    def publisher(self, *options: str, key: str = KEY) -> Publisher:
        return Publisher(f"rtmp://127.0.0.1:{self.port}/live/{key}", *options)


@pytest.fixture
def on_air() -> Iterator[OnAir]:
    port = free_port()
    with PipelineRun({"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY, "stall": 1.0}) as show:
        before = show.showing("slate").sinks[0]
        yield OnAir(show, port)
        assert_all_sent(before, show.sink())


def assert_all_sent(before: SinkReport, after: SinkReport) -> None:
    assert after.due > before.due
    assert share_since(before, after) >= 0.99


def source_frames(report: Report) -> int:
    return report.source.frames


def test_a_killed_publisher_gives_way_to_the_slate_and_a_new_one_comes_in(on_air: OnAir) -> None:
    with on_air.publisher() as first:
        on_air.show.showing("live")
        first.signal(signal.SIGKILL)
        on_air.show.showing("slate")
    with on_air.publisher():
        on_air.show.showing("live")


def test_a_stalled_publisher_gives_way_to_the_slate_and_goes_on_when_it_wakes(on_air: OnAir) -> None:
    with on_air.publisher() as publisher:
        on_air.show.showing("live")
        publisher.signal(signal.SIGSTOP)
        on_air.show.showing("slate")
        on_air.show.wait(lambda report: report.source.state == "stalled")
        publisher.signal(signal.SIGCONT)
        on_air.show.showing("live")


def test_a_publisher_that_restarts_twenty_times_is_live_each_time(on_air: OnAir) -> None:
    for _ in range(20):
        before = source_frames(on_air.show.report)
        with on_air.publisher("--no-audio"):
            on_air.show.wait(lambda report, before=before: source_frames(report) > before + 5)


def test_size_and_rate_may_change_in_flight(on_air: OnAir) -> None:
    with on_air.publisher("--change", "2,640,360,25", "--change", "4,176,144,50"):
        on_air.show.showing("live")
        on_air.show.wait(lambda report: source_frames(report) > 2 * 30 + 2 * 25 + 40)
        on_air.show.showing("live")


def test_sound_without_a_picture_is_a_state_and_not_a_crash(on_air: OnAir) -> None:
    with on_air.publisher("--no-video"):
        time.sleep(4)
        assert on_air.show.report.source.state in ("waiting", "stalled", "lost")
        assert on_air.show.sink().showing == "slate"
        assert on_air.show.pipeline.report().exit_code == 0
    with on_air.publisher():
        on_air.show.showing("live")


@pytest.mark.parametrize("rate", ["0.0005", "0.01"])
def test_corrupt_packets_cost_pictures_and_nothing_else(on_air: OnAir, rate: str) -> None:
    with on_air.publisher("--corrupt", rate):
        on_air.show.wait(lambda report: report.source.frames + sum(report.drops.values()) > 20, 20)
        time.sleep(2)
    with on_air.publisher():
        on_air.show.showing("live")


def strangers(port: int) -> None:
    """Connect as port scanners, browsers and worse do; bounded, on loopback only."""
    greetings = [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(200),
        os.urandom(20_000),
        b"\x03" + bytes(1536) + b"\xff" * 4000,
    ]
    for greeting in greetings * 10:
        with socket.create_connection(("127.0.0.1", port), 2) as stranger:
            stranger.settimeout(2)
            with contextlib.suppress(OSError):  # sent away in the middle of it: that is an answer
                stranger.sendall(greeting)


def test_strangers_on_the_port_do_not_keep_a_publisher_out(on_air: OnAir) -> None:
    strangers(on_air.port)
    with on_air.publisher():
        on_air.show.showing("live")
        strangers(on_air.port)
        before = source_frames(on_air.show.report)
        on_air.show.wait(lambda report: source_frames(report) > before + 30)


def test_idle_strangers_do_not_keep_a_publisher_out(on_air: OnAir) -> None:
    with contextlib.ExitStack() as strangers:
        for _ in range(100):
            strangers.enter_context(socket.create_connection(("127.0.0.1", on_air.port), 2))
        with on_air.publisher():
            on_air.show.showing("live")


def test_a_wrong_key_stays_outside_and_is_not_logged(on_air: OnAir, capfd: pytest.CaptureFixture[str]) -> None:
    with on_air.publisher(key="wr0ng-key-of-a-test") as publisher:
        publisher.process.wait(40)
        assert on_air.show.report.source.frames == 0
    logged = capfd.readouterr().err
    assert "wr0ng-key-of-a-test" not in logged
    assert KEY not in logged


def test_a_second_publisher_is_refused_and_the_first_one_stays(on_air: OnAir) -> None:
    with on_air.publisher() as first:
        on_air.show.showing("live")
        with on_air.publisher() as second:
            second.process.wait(40)
            assert first.process.poll() is None
            before = source_frames(on_air.show.report)
            on_air.show.wait(lambda report: source_frames(report) > before + 15)


def test_with_takeover_the_second_publisher_is_the_one(on_air: OnAir) -> None:
    """Its own show: the policy is fixed for a run."""
    port = free_port()
    source = {"kind": "rtmp", "listen": f"127.0.0.1:{port}", "key": KEY, "second_publisher": "takeover"}
    with PipelineRun(source) as show:
        url = f"rtmp://127.0.0.1:{port}/live/{KEY}"
        with Publisher(url) as first:
            show.showing("live")
            with Publisher(url) as second:
                first.process.wait(40)
                before = source_frames(show.report)
                show.wait(lambda report: source_frames(report) > before + 15)
                assert second.process.poll() is None
