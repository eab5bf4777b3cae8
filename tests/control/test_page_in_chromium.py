"""The page of the control server in a real Chromium, beside a real run with a real model."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness.chromium import PHONE, chromium, no_chromium, opened
from tests.harness.control_client import TOKEN, Client, connected
from tests.harness.pipeline_run import PipelineRun, free_port
from tests.harness.requirements import need
from tests.harness.wait import until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.chromium, pytest.mark.slow, pytest.mark.timeout(300)]

MINI = {"model": "mini", "width": 64, "height": 64, "acceleration": "eager", "device": "cpu", "deadline": 60}
STILL = {"steps": [28], "similarity": "off"}
SINKS = ({"kind": "preview", "listen": "127.0.0.1:0"}, {"kind": "discard"})


def show(engine: dict[str, object] | None = None, **control: object) -> PipelineRun:
    more = {"engine": engine, "controls": STILL} if engine else {}
    settings = {"listen": "127.0.0.1:0", "rate": 200.0, **control}
    return PipelineRun({"kind": "testsrc"}, *SINKS, control=settings, air={"hold": 8}, **more)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    need(no_chromium())
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A run with the bundled model on air."""
    need(no_chromium())
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with show(MINI) as run:
            client = connected(run)
            run.showing("live", "preview", 120)
            yield client


@pytest.fixture
def page(browser: "Browser", live: Client) -> Iterator["Page"]:
    with opened(browser, at(live)) as page:
        page.wait_for_selector("#link[data-level=good]")
        yield page


def at(client: Client, path: str = "/") -> str:
    return f"http://127.0.0.1:{client.port}{path}"


def controls(client: Client) -> dict[str, Any]:
    return client.run.pipeline.desk.controls.model_dump(mode="json")


def told(page: "Page", selector: str, text: str) -> None:
    """Wait until an element holds a text."""
    found = "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)"
    page.wait_for_function(found, arg=[selector, text])


def colour(page: "Page") -> float:
    """Return how colourful the restyled picture is: the mean distance of red from blue, in grey levels."""
    return float(
        page.evaluate(
            """() => { const canvas = document.getElementById("show");
                const all = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
                let sum = 0; for (let i = 0; i < all.length; i += 4) sum += Math.abs(all[i] - all[i + 2]);
                return sum / (all.length / 4); }"""
        )
    )


def test_the_page_shows_both_pictures_and_names_what_they_are(page: "Page") -> None:
    for canvas in ("show", "camera"):
        page.wait_for_function("id => Number(document.getElementById(id).dataset.pictures) > 3", arg=canvas)
    told(page, "#what", "restyled")
    told(page, '[data-part="engine"]', "mini")
    told(page, '[data-part="preview"]', "http://127.0.0.1:")
    assert page.inner_text("#problems") == ""


def test_a_prompt_typed_on_the_page_changes_the_picture(page: "Page", live: Client) -> None:
    page.wait_for_function("() => Number(document.getElementById('show').dataset.pictures) > 3")
    levels = {}
    for look in ("noir", "red woodcut"):
        page.fill("#prompts textarea", look)
        assert page.is_visible("#dirty")
        page.press("#prompts textarea", "Enter")
        told(page, "#onair", look)
        page.wait_for_timeout(1500)
        levels[look] = colour(page)
    assert controls(live)["prompt"] == "red woodcut"
    assert levels["red woodcut"] - levels["noir"] > 10, levels


def test_prompts_with_weights_go_on_air_together(page: "Page", live: Client) -> None:
    page.click("#more")
    page.locator("#prompts textarea").last.fill("stained glass")
    page.locator("#prompts .weight").last.fill("0.5")
    page.click("#set")
    until(lambda: controls(live)["prompt"][-1] == {"text": "stained glass", "weight": 0.5}, 5, "the weights came")
    page.locator("#prompts .reset").last.click()
    page.click("#set")
    until(lambda: isinstance(controls(live)["prompt"], str), 5, "a single prompt is a text")


def test_a_look_of_the_model_is_a_press_away(page: "Page", live: Client) -> None:
    page.click("#looks summary")
    look = page.locator("#names button").nth(2)
    name = look.inner_text()
    look.click()
    until(lambda: controls(live)["prompt"] == name, 5, "the look is the prompt")


def test_a_dragged_slider_changes_the_control_and_the_show_moves_the_slider(page: "Page", live: Client) -> None:
    slider = page.locator('[data-control="guidance.scale"] input[type=range]')
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.2, 0.3, 0.4, 0.5):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    page.mouse.up()
    until(lambda: 13 < controls(live)["guidance"]["scale"] < 17, 5, "the scale is in the middle")
    live.run.pipeline.desk.patch({"guidance.scale": 3}, "test")
    page.wait_for_function("() => document.querySelector('[data-control=\"guidance.scale\"] .number').value === '3'")


def test_a_refused_value_is_told_at_the_control(page: "Page") -> None:
    steps = page.locator('[data-control="steps"] input')
    steps.fill("40, 20")
    steps.press("Enter")
    page.wait_for_selector('[data-control="steps"] .refusal:not([hidden])')
    told(page, "#problems", "steps")
    steps.fill("28")
    steps.press("Enter")
    page.wait_for_selector('[data-control="steps"] .refusal', state="hidden")


def test_a_preset_is_saved_and_comes_back_by_its_key(page: "Page", live: Client) -> None:
    live.run.pipeline.desk.patch({"prompt": "charcoal"}, "test")
    page.fill("#presetname", "dusk")
    page.click("#save")
    page.wait_for_selector('[data-preset="dusk"]')
    live.run.pipeline.desk.patch({"prompt": "mosaic"}, "test")
    page.fill("#seconds", "0")
    page.keyboard.press("1")  # typed into the box of seconds
    assert controls(live)["prompt"] == "mosaic"
    page.fill("#seconds", "0")
    page.locator("h1").click()
    page.keyboard.press("1")
    until(lambda: controls(live)["prompt"] == "charcoal", 5, "the preset is on air")


def test_escape_shows_the_camera_at_once_and_again_brings_back_the_show(page: "Page", live: Client) -> None:
    page.focus("#prompts textarea")
    page.keyboard.press("Escape")
    live.run.showing("bypass", "discard", 2)
    told(page, "#what", "camera, untouched")
    told(page, "#bypass", "Back to live")
    page.keyboard.press("Escape")
    live.run.showing("live", "discard", 5)
    told(page, "#what", "restyled")


def test_a_picture_that_stays_is_called_held_and_then_the_camera_is_called_untouched(
    page: "Page", live: Client
) -> None:
    told(page, "#what", "restyled")
    live.run.signal("engine", signal.SIGSTOP)
    try:
        told(page, "#what", "held: no new picture")
        told(page, "#what", "camera, untouched")
    finally:
        with contextlib.suppress(KeyError, ProcessLookupError):  # a slow page: the stopped engine is replaced by now
            live.run.signal("engine", signal.SIGCONT)
    page.wait_for_function("() => document.querySelector('#what').textContent === 'restyled'")


def test_events_go_on_for_longer_than_a_request_may_take(page: "Page") -> None:
    page.wait_for_timeout(7000)
    assert (page.inner_text("#link"), page.is_hidden("#problems")) == ("connected", True)


@pytest.mark.parametrize("path", ["/", "/screen"])
@pytest.mark.parametrize("size", [PHONE, (320, 568), (820, 1180)])
def test_nothing_scrolls_sideways(browser: "Browser", live: Client, path: str, size: tuple[int, int]) -> None:
    with opened(browser, at(live, path), size) as page:
        page.wait_for_function("() => Number(document.getElementById('show').dataset.pictures) > 1")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_crashed_server_comes_back_to_an_open_page(page: "Page", live: Client) -> None:
    live.run.signal("control", signal.SIGKILL)
    told(page, "#link", "daemon gone")
    told(page, "#problems", "does not answer")
    told(page, "#link", "connected")
    page.wait_for_function("() => !document.querySelector('#what').textContent.includes('gone')")


def test_an_open_page_takes_up_the_next_run_with_its_new_token(
    browser: "Browser", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    listen = f"127.0.0.1:{free_port()}"
    with show(listen=listen) as first:
        address = at(connected(first))
        context = opened(browser, address)
        page = context.__enter__()
        told(page, "#what", "camera, passed through")
    try:
        told(page, "#link", "daemon gone")
        told(page, "#what", "the daemon is gone")
        with show(listen=listen) as second:
            connected(second)
            told(page, "#link", "connected")
            page.keyboard.press("Escape")
            second.showing("bypass", "discard", 5)
    finally:
        context.__exit__(None, None, None)


def test_a_token_of_the_settings_is_asked_for_and_stands_in_no_address(browser: "Browser", tmp_path: Path) -> None:
    with show(token=TOKEN, read_token="a-token-for-looking-only", presets=str(tmp_path / "presets.json")) as run:
        client = connected(run)
        with opened(browser, at(client)) as page:
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            page.fill("#token", TOKEN)
            page.press("#token", "Enter")
            told(page, "#link", "connected")
            page.keyboard.press("Escape")
            run.showing("bypass", "discard", 5)
            assert TOKEN not in "".join(asked) + page.url + page.content()
