"""Makes the pictures of the control server's page: python -m scripts.screens. Needs a Chromium and playwright.

Real runs are brought into each state: loading, live, held, camera, slate and error. docs/page/ gets a PNG for each
state, on a desktop and on a phone, light and dark.
"""

import io
import json
import os
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from sdstream.clip import CLIP
from sdstream.config.schema import Config
from sdstream.supervisor.pipeline import Pipeline
from tests.harness.chromium import PHONE, chromium, no_chromium, opened
from tests.harness.pipeline_run import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OUT = Path(__file__).parents[1] / "docs" / "page"
SIZES = {"desktop": (1100, 700), "phone": PHONE}
COLOURS = 20
WIDEST = 825
SOURCE = {"kind": "ffmpeg", "url": str(CLIP), "loop": True}
PREVIEW = {"kind": "preview", "listen": "127.0.0.1:0"}
STREAM = {"kind": "serve"}
MODEL = {"model": "mini", "width": "auto", "height": 160, "acceleration": "eager", "device": "cpu", "deadline": 300}
CONTROLS = {
    "prompt": "starry night, van gogh",
    "steps": [28],
    "cues": [{"at": "30:00", "prompt": "ukiyo-e woodblock print"}, {"at": "45:00", "prompt": "charcoal drawing"}],
}


@contextmanager
def on_air(**parts: Any) -> Iterator[tuple[Pipeline, str]]:
    """Run a show with a control server; return the run and the address of the page."""
    port = free_port()
    config = {"version": 1, "canvas": {"width": 640, "height": 360, "fps": 30}, "air": {"hold": 10}, **parts}
    control = {"listen": f"127.0.0.1:{port}", "rate": 500}
    pipeline = Pipeline(Config.model_validate({**config, "control": control}))
    runner = threading.Thread(target=pipeline.run)
    runner.start()
    address = f"http://127.0.0.1:{port}"
    try:
        _answering(address)
        yield pipeline, address
    finally:
        pipeline.stop()
        runner.join()


def _answering(address: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/status", timeout=2) as answer:  # noqa: S310 - our own server
                json.load(answer)
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"no answer from {address}")


def take(browser: "Browser", address: str, name: str, says: tuple[str, str], stopped: int | None = None) -> None:
    """Write the pictures of a state: both sizes, light and dark, as soon as a selector `says` a text.

    The process `stopped` stands still meanwhile.
    """
    for device, size in SIZES.items():
        for scheme in ("light", "dark"):
            with opened(browser, address, size, scheme) as page:
                page.wait_for_timeout(3000)  # so that the graphs have a line
                if stopped is not None:
                    os.kill(stopped, signal.SIGSTOP)
                _wait(page, *says)
                _write(page.screenshot(), OUT / f"{name}-{device}-{scheme}.png")
                if stopped is not None:
                    os.kill(stopped, signal.SIGCONT)


def _wait(page: "Page", selector: str, says: str) -> None:
    found = "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)"
    page.wait_for_function(found, arg=[selector, says], timeout=120_000)


def _write(png: bytes, path: Path) -> None:
    """Write a picture in a few colours: a page is flat, and a repository keeps every picture for ever."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((WIDEST, 10_000), Image.Resampling.LANCZOS)
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def _with_a_model(browser: "Browser") -> None:
    with on_air(source=SOURCE, engine=MODEL, controls=CONTROLS, sinks=[PREVIEW, STREAM]) as (run, address):
        take(browser, address, "live", ("#what", "restyled"))
        take(browser, address, "held", ("#what", "held"), run.pids()["engine"])
        run.desk.patch({"air": "bypass"}, "screens")
        take(browser, address, "camera", ("#what", "untouched"))


def _loading(browser: "Browser") -> None:
    with on_air(source=SOURCE, engine=MODEL, controls=CONTROLS, sinks=[PREVIEW, STREAM]) as (run, address):
        _until_loading(run)
        take(browser, address, "loading", ("#loading", "Engine with"))


def _until_loading(run: Pipeline) -> None:
    engine = None
    while engine is None or run.report().engine.loading.phase == "starting":
        engine = run.pids().get("engine")
        time.sleep(0.02)
    os.kill(engine, signal.SIGSTOP)  # the loading stands still for the pictures


def main() -> None:
    """Make all pictures."""
    if missing := no_chromium():
        sys.exit(missing)
    OUT.mkdir(exist_ok=True)
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()
    rtmp = {"kind": "rtmp", "listen": f"127.0.0.1:{free_port()}"}
    away = {"kind": "rtmp", "url": f"rtmp://127.0.0.1:{free_port()}/live", "key": "a-key-of-nobody"}
    plain = {"engine": {"kind": "passthrough"}}
    with chromium() as browser:
        with on_air(source=rtmp, sinks=[PREVIEW, STREAM], **plain) as (_, address):
            take(browser, address, "slate", ("#what", "slate"))
        with on_air(source=SOURCE, sinks=[PREVIEW, away], **plain) as (run, address):
            run.desk.patch({"guidance.scale": -1}, "file")
            take(browser, address, "error", ("#problems", "guidance.scale"))
        _loading(browser)
        _with_a_model(browser)


if __name__ == "__main__":
    main()
