"""The preview page of a whole run: it follows the show, the controls, and its own process's end."""

import json
import signal

import pytest

from tests.harness.pipeline_run import PipelineRun, free_port
from tests.harness.wait import until
from tests.sinks.browser import Browser

pytestmark = pytest.mark.fault


def test_the_page_tells_of_the_show_and_is_back_at_its_address_after_a_crash():
    listen = {"kind": "preview", "listen": f"127.0.0.1:{free_port()}"}
    with PipelineRun({"kind": "testsrc"}, {"kind": "discard"}, listen) as show:
        show.showing("live", "preview")
        page = Browser(int(show.sink("preview").facts["port"]))
        assert page.picture("/pair.jpg").shape == (180, 640, 3)
        assert json.loads(page.ask("/status")[1])["showing"] in ("live", "held")
        show.pipeline.desk.patch({"prompt": "a pencil drawing"}, by="test")
        until(lambda: json.loads(page.ask("/status")[1])["prompt"] == "a pencil drawing", 5, "the page knows it")
        before = show.sink("discard")
        show.signal("preview", signal.SIGKILL)
        show.wait(lambda report: report.sinks[1].restarts == 1)
        until(lambda: answers(page), 15, "the page is back")
        after = show.sink("discard")
        assert after.sent - before.sent >= 0.99 * (after.due - before.due)


def test_a_page_without_its_port_ends_the_run_unless_it_is_optional():
    with Browser.taken() as port:
        listen = {"kind": "preview", "listen": f"127.0.0.1:{port}"}
        with PipelineRun({"kind": "testsrc"}, {"kind": "discard"}, listen) as show:
            until(lambda: show.final, 15, "the run has ended")
            assert (show.final.exit_code, "another program has it" in show.final.reason) == (69, True)
        with PipelineRun({"kind": "testsrc"}, {"kind": "discard"}, listen | {"optional": True}) as show:
            show.showing("live")
            show.wait(lambda report: len(report.sinks) == 1)


def answers(page: Browser) -> bool:
    try:
        return page.status_of("/status") == 200
    except OSError:
        return False
