"""A process of the daemon dies or hangs: the others, and so the show, go on."""

import signal
import socket
import threading

import psutil
import pytest

from sdstream.supervisor import wiring
from sdstream.supervisor.restart_policy import TRIES
from tests.harness.pipeline_run import PipelineRun, free_port, share_since

pytestmark = [pytest.mark.fault, pytest.mark.slow]
TESTSRC = {"kind": "testsrc"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_when_the_engine_crashes_the_camera_shows_until_it_is_back(number: int) -> None:
    with PipelineRun(TESTSRC, air={"hold": 0.3}) as show:
        before = show.showing("live").sinks[0]
        show.signal("engine", number)
        show.wait(lambda report: report.sinks[0].camera > before.camera)
        show.showing("live")
        assert show.report.engine.restarts == 1
        assert share_since(before, show.sink()) >= 0.99
        assert show.sink().slate == before.slate


def test_when_the_engine_hangs_it_is_replaced() -> None:
    with PipelineRun(TESTSRC) as show:
        before = show.showing("live").sinks[0]
        show.signal("engine", signal.SIGSTOP)
        show.showing("camera")
        show.wait(lambda report: report.engine.restarts == 1, 20)
        show.showing("live")
        assert share_since(before, show.sink()) >= 0.99


@pytest.mark.parametrize("stage", ["source", "engine", "discard.2", "preview"])
def test_a_stage_that_is_stopped_at_any_moment_of_its_life_is_replaced(stage: str) -> None:
    """A process that has only just started is stopped as well: on a busy machine it loads libraries for a minute."""
    preview = {"kind": "preview", "listen": "127.0.0.1:0"}
    with PipelineRun(TESTSRC, {"kind": "discard"}, {"kind": "discard"}, preview) as show:
        before = show.showing("live", "discard.1", 30).sinks[0]
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGSTOP):
            old = show.pipeline.pids()[stage]
            show.signal(stage, number)
            show.wait(lambda _, old=old: show.pipeline.pids().get(stage, old) != old, 12)
        show.showing("live", "discard.1", 30)
        assert share_since(before, show.sink("discard.1")) >= 0.99


def test_when_the_source_crashes_the_slate_shows_until_it_is_back() -> None:
    with PipelineRun(TESTSRC, air={"hold": 0.1}) as show:  # it is back too soon for a longer one to run out
        before = show.showing("live").sinks[0]
        for _ in range(3):
            show.signal("source", signal.SIGKILL)
            show.wait(lambda report: report.source.state == "lost")
            show.showing("slate")
            show.showing("live")
        assert share_since(before, show.sink()) >= 0.99


def test_when_a_sink_is_killed_the_other_one_notices_nothing() -> None:
    with PipelineRun(TESTSRC, {"kind": "discard"}, {"kind": "discard"}) as show:
        before = show.showing("live", "discard.2").sinks[1]
        for _ in range(3):
            due = show.sink("discard.1").sent
            show.signal("discard.1", signal.SIGKILL)
            show.wait(lambda report, due=due: report.sinks[0].sent > due + 10)
        assert show.sink("discard.1").restarts == 3
        assert share_since(before, show.sink("discard.2")) >= 0.99


def test_a_silent_server_of_one_output_harms_no_other_however_long_it_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel accepts the connection; nobody ever answers."""
    monkeypatch.setattr(wiring, "CONNECTING", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"rtmp://127.0.0.1:{server.getsockname()[1]}/app/secret-of-a-test"
        with PipelineRun(TESTSRC, {"kind": "discard"}, {"kind": "ffmpeg", "url": url, "timeout": 1.0}) as show:
            before = show.showing("live").sinks[0]
            show.wait(lambda report: report.sinks[1].restarts > TRIES, 50)
            assert share_since(before, show.sink()) >= 0.99


def test_an_output_without_a_server_harms_no_other_and_is_tried_again() -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/app/secret-of-a-test"
    with PipelineRun(TESTSRC, {"kind": "discard"}, {"kind": "ffmpeg", "url": url}) as show:
        before = show.showing("live").sinks[0]
        show.wait(lambda report: report.sinks[1].restarts >= 3, 30)
        assert share_since(before, show.sink()) >= 0.99


def test_the_show_ends_with_all_of_its_processes() -> None:
    threads = threading.active_count()
    with PipelineRun(TESTSRC) as show:
        show.showing("live")
        pids = show.pipeline.pids()
    assert show.final is not None
    assert show.final.exit_code == 0
    assert threading.active_count() == threads
    assert [stage for stage, pid in pids.items() if psutil.pid_exists(pid)] == []
