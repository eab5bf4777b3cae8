"""The pages of the control server as files: who gets the token, what the policy allows, and the preview's pictures."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sdstream.config.control import ControlSettings
from sdstream.control import pages
from sdstream.control.pages import embeds_token
from sdstream.control.server import STALL_WITHIN
from tests.harness.control_client import RATE, READ_TOKEN, TOKEN, Client, connected, start
from tests.harness.pipeline_run import PipelineRun
from tests.harness.wait import until
from tests.sinks.browser import Browser

FOLDER = Path(pages.__file__).with_name("page")
HERE = {"host": "127.0.0.1:8402"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A run with a preview behind a key, and a control server without a token of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("pages")))
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        preview = {"kind": "preview", "listen": "127.0.0.1:0", "key": "k3y-of-the-show", "fps": 30}
        control = {"listen": "127.0.0.1:0", "rate": RATE}
        with PipelineRun({"kind": "testsrc"}, preview, {"kind": "discard"}, control=control) as run:
            client = connected(run)
            run.showing("live", "preview")
            until(lambda: ask(client, "/status") == 200, 5, "the preview is found")
            yield client


def ask(client: Client, path: str, **headers: str) -> int:
    return client.ask("GET", path, token=None, **headers).status


def settings(**given: Any) -> ControlSettings:
    return ControlSettings.model_validate(given)


@pytest.mark.parametrize(
    ("host", "embeds"),
    [
        ("127.0.0.1:8402", True),
        ("127.0.0.1", True),
        ("localhost:8402", True),
        ("LOCALHOST", True),
        ("[::1]:8402", True),
        ("[::1]", True),
        ("192.168.1.5:8402", False),
        ("[fd00::1]:8402", False),
        ("show.example", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_only_a_page_asked_for_by_a_name_of_this_machine_holds_the_token(host: str, embeds: bool) -> None:
    assert embeds_token(settings(hosts=["show.example"]), {"host": host}) is embeds


@pytest.mark.parametrize("header", ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"])
def test_a_page_by_way_of_a_proxy_holds_no_token(header: str) -> None:
    assert not embeds_token(settings(), HERE | {header: "203.0.113.7"})


@pytest.mark.parametrize(
    "given",
    [{"token": TOKEN}, {"read_token": READ_TOKEN}, {"listen": "0.0.0.0:8402", "token": TOKEN}],
)
def test_a_token_that_somebody_chose_is_in_no_page(given: dict[str, str]) -> None:
    assert not embeds_token(settings(**given), HERE)


def test_the_page_of_a_random_token_may_change_controls(watched: Client) -> None:
    page = watched.ask("GET", "/", token=None)
    token = re.search(r'name="sdstream-token" content="([^"]*)"', page.body.decode())
    assert token is not None
    assert watched.ask("POST", "/api/air", {"air": "live"}, token=token[1]).status == 200
    assert page.headers["cache-control"] == "no-store"


def test_a_chosen_token_is_asked_for_by_a_page_that_everybody_may_load(client: Client) -> None:
    page = client.ask("GET", "/", token=None)
    assert (page.status, TOKEN in page.body.decode()) == (200, False)
    assert ask(client, "/page/main.js") == 200
    assert [ask(client, path) for path in ("/show.jpg", "/show.mjpeg", "/status", "/api/looks", "/looks.png")] == [
        401
    ] * 5


@pytest.mark.parametrize("path", ["/", "/screen", "/page/page.css", "/page/main.js"])
def test_the_policy_of_a_page_allows_nothing_inline_and_nothing_foreign(watched: Client, path: str) -> None:
    policy = watched.ask("GET", path, token=None).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)


@pytest.mark.parametrize("file", sorted(FOLDER.iterdir()), ids=lambda file: file.name)
def test_a_file_of_the_page_names_no_other_server_and_holds_nothing_inline(file: Path, watched: Client) -> None:
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"https?://|innerHTML|\beval\(|new Function", text)
    if file.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", text)
        named = re.findall(r'(?:src|href)="([^"]*)"', text)
    else:
        named = [f"/page/{name}" for name in re.findall(r'from "\./([^"]+)"', text)]
    assert {ask(watched, path) for path in named if path.startswith("/")} <= {200}


@pytest.mark.parametrize("path", ["/page/", "/page/nothing.js", "/page/..%2fapp.py", "/page/index.html", "/screen/"])
def test_what_is_no_file_of_the_page_is_not_served(watched: Client, path: str) -> None:
    assert ask(watched, path) in (307, 404)


def test_the_pictures_of_the_preview_come_without_its_key(watched: Client) -> None:
    browser = Browser(watched.port)
    sizes = [browser.picture(f"/{view}.jpg").shape for view in ("show", "camera", "pair")]
    assert sizes == [(180, 320, 3), (180, 320, 3), (180, 640, 3)]
    status = watched.ask("GET", "/status", token=None)
    assert (status.headers["content-type"], status.json["showing"]) == ("application/json", "live")
    with browser.follow("/pair.mjpeg") as pictures:
        assert [next(pictures).shape for _ in range(3)] == [(180, 640, 3)] * 3


def test_no_answer_to_a_client_holds_the_key_of_the_preview(watched: Client) -> None:
    for path in ("/", "/api/state", "/status", "/metrics", "/api/controls", "/openapi.json"):
        assert "k3y-of-the-show" not in watched.ask("GET", path, token=None).body.decode(), path
    assert "KEY/" in watched.ask("GET", "/api/state", token=None).json["show"]["sinks"]["preview"]


def test_a_view_is_fetched_once_for_all_who_watch_and_not_at_all_afterwards(watched: Client) -> None:
    browser = Browser(watched.port)
    run = watched.run
    with browser.follow("/show.mjpeg") as one, browser.follow("/show.mjpeg") as two, browser.follow("/camera.mjpeg"):
        next(one), next(two)
        run.wait(lambda report: report.sinks[0].facts["connections"] == 2)
    run.wait(lambda report: report.sinks[0].facts["connections"] == 0)


@pytest.mark.slow
def test_a_viewer_that_does_not_read_is_left_behind_and_the_rest_see_on(watched: Client) -> None:
    browser = Browser(watched.port)
    with socket.socket() as stalled, browser.follow("/show.mjpeg") as pictures:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", watched.port))
        stalled.sendall(b"GET /show.mjpeg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        deadline = time.monotonic() + STALL_WITHIN + 30
        until(lambda: served(watched, stalled), 5, "the viewer is served")
        while served(watched, stalled):
            assert time.monotonic() < deadline, "the viewer is still served"
            next(pictures)


def served(client: Client, viewer: socket.socket) -> bool:
    """Tell whether the server's process still has the connection of `viewer`."""
    server = psutil.Process(client.run.pipeline.pids()["control"])
    port = viewer.getsockname()[1]
    return any(connection.raddr and connection.raddr.port == port for connection in server.net_connections("tcp"))


def test_a_run_without_a_preview_says_where_pictures_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with start() as run:
        client = connected(run)
        for path in ("/show.mjpeg", "/show.jpg", "/status"):
            answer = client.ask("GET", path, token=None)
            assert (answer.status, "preview" in answer.json["error"]) == (503, True)
        assert client.ask("GET", "/api/looks", token=None).json == {"model": "", "looks": [], "sheet": ""}
