"""A real Chromium without a screen, and the pages opened in this browser."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = (1280, 860), (390, 844)


def no_chromium() -> str | None:
    """Return why this machine opens no page; None if nothing is missing."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return None if any(map(shutil.which, NAMES)) else "no Chromium is installed"


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Give a running Chromium."""
    from playwright.sync_api import sync_playwright

    program = next(path for name in NAMES if (path := shutil.which(name)))
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: "Browser", address: str, size: tuple[int, int] = DESKTOP, scheme: str = "light"
) -> Iterator["Page"]:
    """Open a page; an error of a script or a file that the policy refuses fails the test."""
    mistakes: list[str] = []
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        has_touch=size == PHONE,
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda said: mistakes.append(said.text) if "Content Security Policy" in said.text else None)
    try:
        page.goto(address)
        yield page
    finally:
        context.close()
    assert mistakes == []
