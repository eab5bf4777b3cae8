"""A foreign server or NDI sender stops, stalls or moves: the healthy sinks of the daemon go on."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness import ndi, network, nginx_rtmp
from tests.harness.daemon import Daemon
from tests.harness.network import Network
from tests.harness.requirements import need
from tests.harness.standstill_watch import StandstillWatch
from tests.harness.wait import until
from tests.sinks.sink_process import sender

pytestmark = [pytest.mark.fault, pytest.mark.slow]
KEY = "k3y-of-a-test"


@pytest.fixture
def private() -> Iterator[Network]:
    need(network.missing())
    with network.private_network() as made:
        yield made


def config(source: dict[str, Any], *sinks: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "canvas": {"width": 320, "height": 180, "fps": 30},
        "source": source,
        "engine": {"kind": "passthrough"},
        "sinks": [{"kind": "discard"}, *sinks],
    }


@pytest.fixture
def machine() -> Iterator[StandstillWatch]:
    with StandstillWatch() as watching:
        yield watching


def assert_healthy(sink: dict[str, Any], machine: StandstillWatch) -> None:
    assert sink["due"] > 30
    assert sink["sent"] >= 0.99 * (sink["due"] - machine.excused(30))


@pytest.mark.rtmp
def test_a_stalled_server_of_one_output_harms_no_other_and_is_published_to_again(
    private: Network, machine: StandstillWatch, tmp_path: Path
) -> None:
    need(nginx_rtmp.missing())
    with nginx_rtmp.rtmp_server(tmp_path, KEY, private) as server:
        output = {"kind": "ffmpeg", "url": f"{server.keyed}/{KEY}", "bitrate": "20M", "timeout": 2.0}
        daemon = Daemon(tmp_path, config({"kind": "testsrc"}, output), private, "--json")
        with daemon:
            until(lambda: daemon.says("output open"), 30, "the output is open")
            recording = server.recording(KEY)
            until(lambda: recording.exists() and recording.stat().st_size > 100_000, 20, "the server records")
            master = int((tmp_path / "nginx.pid").read_text())
            workers = psutil.Process(master).children()
            for worker in workers:
                worker.suspend()
            until(lambda: daemon.says("stage ended"), 45, "the stalled output is given up")
            for worker in workers:
                worker.resume()
            opened = daemon.log.read_text().count("output open")
            until(lambda: daemon.log.read_text().count("output open") > opened, 30, "it is published to again")
            until(lambda: recording.stat().st_size > 30_000_000, 45, "twelve more seconds are sent")
        report = daemon.report()
    assert_healthy(report["sinks"][0], machine)
    assert report["sinks"][1]["restarts"] >= 1
    assert KEY not in daemon.log.read_text()


@pytest.mark.ndi
def test_an_ndi_source_that_comes_back_on_another_port_is_found_again(
    private: Network, machine: StandstillWatch, tmp_path: Path
) -> None:
    need(ndi.missing())
    source = {"kind": "ndi", "name": "sdstream away", "extra_ips": ["127.0.0.1"]}
    daemon = Daemon(tmp_path, config(source), private, "--json")
    with daemon:
        with sender(private, 60.0, kind="ndi", name="sdstream away"):
            until(lambda: daemon.says("source is live"), 40, "the first sender is live")
        until(lambda: daemon.says("source has stalled") or daemon.says("source lost"), 20, "its end is noticed")
        with (
            sender(private, 60.0, kind="ndi", name="sdstream in the way"),
            sender(private, 60.0, kind="ndi", name="sdstream away"),
        ):
            lives = daemon.log.read_text().count("source is live")
            until(lambda: daemon.log.read_text().count("source is live") > lives, 40, "the second one is live")
    report = daemon.report()
    assert_healthy(report["sinks"][0], machine)
    assert report["sinks"][0]["live"] > 0


@pytest.mark.ndi
def test_an_ndi_source_that_is_frozen_is_a_stall_and_goes_on_when_it_wakes(
    private: Network, machine: StandstillWatch, tmp_path: Path
) -> None:
    need(ndi.missing())
    daemon = Daemon(tmp_path, config({"kind": "ndi", "url": "127.0.0.1:5961"}), private, "--json")
    with sender(private, 120.0, kind="ndi", name="sdstream frozen") as sending, daemon:
        until(lambda: daemon.says("source is live"), 30, "it is live")
        sending.signal(signal.SIGSTOP)
        until(lambda: daemon.says("source has stalled"), 20, "the stall is noticed")
        sending.signal(signal.SIGCONT)
        until(lambda: daemon.log.read_text().count("source is live") == 2, 20, "it is live again")
    assert_healthy(daemon.report()["sinks"][0], machine)
