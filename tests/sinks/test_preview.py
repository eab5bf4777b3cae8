"""The preview page over real connections: its pictures, its status and its permitted guests."""

import json
import re
import time
from contextlib import ExitStack
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from sdstream import __version__
from sdstream.config.schema import Canvas
from sdstream.config.sinks import PreviewSinkSettings
from sdstream.controls import Controls, WeightedPrompt
from sdstream.errors import Unavailable
from sdstream.frame import Frame
from sdstream.ipc.loading import Loading
from sdstream.sinks.context import SinkContext
from sdstream.sinks.preview.info import PreviewInfo
from sdstream.sinks.preview.pictures import Pictures
from sdstream.sinks.preview.sink import PreviewSink
from tests.harness.wait import until
from tests.sinks.browser import decoded
from tests.sinks.preview_stage import CANVAS, Stage, connections, on_air


def test_the_page_asks_for_nothing_that_is_not_served_here():
    with on_air() as (browser, _):
        response, page = browser.ask("/")
        assert response.getheader("Content-Type") == "text/html; charset=utf-8"
        wanted = set(re.findall(r'(?:src|href)="([^"]*)"|fetch\("([^"]*)"', page.decode()))
        names = {name for pair in wanted for name in pair if name and not name.startswith("data:")}
        assert names == {"show.mjpeg", "camera.mjpeg", "status", "looks.png"}
        assert "http" not in page.decode()
        assert browser.status_of("/status") == 200


@pytest.mark.parametrize("view", ["show", "camera"])
def test_a_picture_is_the_one_that_was_sent_last(view: str):
    stage = Stage()
    with on_air(stage) as (browser, _):
        before = stage.tick
        level = browser.picture(f"/{view}.jpg").mean()
        tick = 255 - level if view == "show" else level
        assert before - 1 <= tick <= stage.tick + 1


@pytest.mark.parametrize("lag", [0, 3, 30])
def test_a_pair_is_a_picture_and_the_camera_picture_that_it_was_made_from(lag: int):
    stage = Stage(lag)
    with on_air(stage) as (browser, _):
        browser.ask("/pair.jpg")  # from here on it remembers
        until(lambda: stage.tick > lag + 40, 10, "the pair's camera picture is remembered")
        pair = browser.picture("/pair.jpg").astype(int)
    assert pair.shape == (CANVAS.height, CANVAS.width * 2, 3)
    camera, show = pair[:, : CANVAS.width - 8].mean(), pair[:, CANVAS.width + 8 :].mean()
    assert camera + show == pytest.approx(255, abs=1)


@pytest.mark.parametrize(("width", "size"), [(640, (64, 48)), (64, (64, 48)), (100, (100, 76))])
def test_a_picture_is_made_smaller_and_never_larger(width: int, size: tuple[int, int]):
    canvas = CANVAS if size == (64, 48) else Canvas(width=200, height=152)
    pictures = Pictures(canvas, width)
    pictures.update(Frame(np.zeros((canvas.height, canvas.width, 3), np.uint8), 1, 0.0, 0.0), None, keep=False)
    assert decoded(pictures.jpeg("show") or b"").shape[1::-1] == size


def test_before_the_first_camera_picture_there_is_none_to_show():
    stage = Stage()
    stage.info = PreviewInfo
    with on_air(stage) as (browser, _):
        assert [browser.status_of(f"/{view}.jpg") for view in ("show", "camera", "pair")] == [200, 503, 503]


def test_a_stream_of_pictures_is_whole_and_goes_on_and_keeps_to_its_rate():
    stage = Stage()
    with on_air(stage, fps=10) as (browser, _), browser.follow("/show.mjpeg") as pictures:
        next(pictures)
        began, seen = time.monotonic(), [next(pictures).mean() for _ in range(12)]
        took = time.monotonic() - began
    ticks = [255 - level for level in seen]
    assert all(later > sooner for sooner, later in pairwise(ticks))
    assert took >= 12 / 10 * 0.9


def test_no_picture_is_encoded_while_nobody_watches(monkeypatch: pytest.MonkeyPatch):
    from sdstream.sinks.preview import pictures

    made = []
    encode = pictures._encoded
    monkeypatch.setattr(pictures, "_encoded", lambda pixels: made.append(1) or encode(pixels))
    stage = Stage()
    with on_air(stage, fps=10) as (browser, sink):
        until(lambda: stage.tick > 20, 5, "pictures were sent")
        assert made == []
        with ExitStack() as viewers:
            streams = [viewers.enter_context(browser.follow("/show.mjpeg")) for _ in range(5)]
            for _ in range(3):
                for stream in streams:
                    next(stream)
            assert len(made) <= 8  # not five times as many
        until(lambda: connections(sink) == 0, 5, "the viewers have left")
        made.clear()
        before = stage.tick
        until(lambda: stage.tick > before + 20, 5, "pictures were sent")
        assert made == []


@pytest.mark.parametrize("path", ["/", "/status", "/show.jpg", "/show.mjpeg"])
def test_head_is_get_without_the_body(path: str):
    with on_air() as (browser, _):
        response, body = browser.ask(path, "HEAD")
    assert (response.status, body) == (200, b"")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8400", 200),
        ("localhost", 200),
        ("[::1]:8400", 200),
        ("evil.example", 403),
        ("localhost.evil.example:80", 403),
        ("127.0.0.1.evil.example", 403),
    ],
)
def test_a_web_site_that_calls_its_name_our_address_is_refused(host: str, status: int):
    with on_air() as (browser, _):
        assert browser.status_of("/status", Host=host) == status


@pytest.mark.parametrize("listen", ["0.0.0.0:8400", "[::]:8400", "192.168.1.5:8400", "studio:8400"])
def test_a_page_for_others_than_this_machine_needs_a_key(listen: str):
    with pytest.raises(ValidationError, match="needs a `key`"):
        PreviewSinkSettings(kind="preview", listen=listen)
    PreviewSinkSettings(kind="preview", listen=listen, key="a-long_key1")


@pytest.mark.parametrize("key", ["short", "with/slash", "with space", "schlüssel1", ""])
def test_a_key_is_something_that_an_address_can_hold(key: str):
    with pytest.raises(ValidationError, match="letters, digits"):
        PreviewSinkSettings(kind="preview", key=key)


def test_without_the_key_there_is_nothing_and_with_it_all():
    with on_air(key="k3y-of-the-show") as (browser, _):
        outside = [browser.status_of(path) for path in ("/", "/status", "/show.jpg", "/k3y-of-the-shoW/", "/k")]
        inside = [browser.status_of(f"/k3y-of-the-show/{path}") for path in ("", "status", "show.jpg")]
        assert (outside, inside) == ([404] * 5, [200] * 3)
        assert browser.status_of("/k3y-of-the-show/", Host="studio.example") == 200


def test_the_key_without_the_last_slash_leads_to_the_page():
    with on_air(key="k3y-of-the-show") as (browser, _):
        response, _ = browser.ask("/k3y-of-the-show?x=1")
        assert (response.status, response.getheader("Location")) == (308, "/k3y-of-the-show/")
        assert browser.status_of(response.getheader("Location")) == 200
        assert [browser.status_of(path) for path in ("/k3y-of-the-sho", "/other-key", "//")] == [404] * 3


def test_without_a_key_the_root_is_the_page_and_nothing_redirects():
    with on_air() as (browser, _):
        assert [browser.status_of(path) for path in ("/", "//", "/x/")] == [200, 404, 404]


@pytest.mark.parametrize("showing", ["live", "held", "camera", "slate", "bypass", "frozen", "black"])
@pytest.mark.parametrize("restyles", [True, False])
def test_an_untouched_picture_is_never_called_restyled(showing: str, restyles: bool):
    stage = Stage()
    stage.showing, stage.restyles = showing, restyles
    with on_air(stage) as (browser, _):
        status = json.loads(browser.ask("/status")[1])
    assert status["restyled"] == (restyles and showing in ("live", "held"))
    assert (status["showing"], status["restyles"], status["version"]) == (showing, restyles, __version__)


def test_the_page_names_what_it_shows_by_the_status_alone():
    with on_air() as (browser, _):
        page = browser.ask("/")[1].decode()
    assert "restyled" not in re.sub(r"<script>.*</script>|<style>.*</style>", "", page, flags=re.DOTALL)


def test_the_page_shows_the_looks_of_a_model_that_knows_some():
    stage = Stage()
    with on_air(stage) as (browser, _):
        assert (json.loads(browser.ask("/status")[1])["looks"], browser.status_of("/looks.png")) == ([], 404)
    stage.looks = ("oil", "ink")
    with on_air(stage) as (browser, _):
        assert json.loads(browser.ask("/status")[1])["looks"] == ["oil", "ink"]
        response, body = browser.ask("/looks.png")
    assert (response.status, response.getheader("Content-Type"), body[:4]) == (200, "image/png", b"\x89PNG")


def test_the_status_tells_how_far_the_loading_has_come():
    stage = Stage()
    stage.loading = Loading("compiling", 3, 6)
    with on_air(stage) as (browser, _):
        assert json.loads(browser.ask("/status")[1])["loading"] == {"phase": "compiling", "step": 3, "steps": 6}


def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]):
    with on_air(key="k3y-of-the-show") as (browser, _):
        browser.ask("/k3y-of-the-show/")
    assert "k3y-of" not in caplog.text + "".join(capsys.readouterr())


def test_the_status_tells_what_is_on_air():
    prompts = (WeightedPrompt(text="oil"), WeightedPrompt(text="ink", weight=0.5))
    stage = Stage(controls=Controls(prompt=prompts))
    with on_air(stage) as (browser, _):
        until(lambda: stage.tick > 5, 5, "pictures were sent")
        stage.showing = "held"
        status = json.loads(browser.ask("/status")[1])
    assert (status["showing"], status["prompt"]) == ("held", "oil:1 + ink:0.5")
    assert (status["width"], status["height"]) == (64, 48)
    assert status["fps"] > 5


def test_a_port_that_is_taken_is_unavailable_and_is_free_again_afterwards():
    with on_air() as (browser, _):
        settings = PreviewSinkSettings(kind="preview", listen=f"127.0.0.1:{browser.port}")
        with pytest.raises(Unavailable, match="another program has it; choose another port"):
            PreviewSink(settings, SinkContext(CANVAS)).__enter__()
    with PreviewSink(settings, SinkContext(CANVAS)) as sink:
        pass
    sink.__exit__(None, None, None)
