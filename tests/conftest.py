"""The fixtures and the second tries of all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from sdstream import redact

# How long an example takes says something about the machine, not about the law.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

_CLIPS = Path(os.environ.get("SDSTREAM_CLIPS", Path(__file__).parents[2] / "shared" / "clips"))


_REAL = {"chromium", "fault", "ndi", "obs", "rtmp", "vm"}
_ROOMS_WITH_CLOCKS = {
    "cli",
    "clip",
    "control",
    "fuzz",
    "ipc",
    "sinks",
    "sources",
    "stages",
    "supervisor",
    "system",
    "whole",
}
"""Rooms whose tests start processes, servers and clients; most measure time."""


def pytest_configure() -> None:
    """Let the children hear Ctrl-C and hang-up, though nohup or a background job made this process ignore them.

    An ignored signal stays ignored across exec; a handled one is back at its default, so a handler that does nothing
    is enough.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the earlier groups of `scripts/test` skipped: the end of a long log names everything skipped."""
    file = Path(os.environ.get("SDSTREAM_SKIPPED") or os.devnull)
    if lines := file.read_text(encoding="utf-8").splitlines():
        terminalreporter.section("skipped earlier")
        for line in dict.fromkeys(lines):
            terminalreporter.line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests with real programs and real time a second try: a virtual machine stands still for a second at times.

    The summary names each test that needed it.
    """
    for item in items:
        room = item.path.relative_to(Path(__file__).parent).parts[0]
        if room in _ROOMS_WITH_CLOCKS or _REAL & {mark.name for mark in item.iter_markers()}:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Forget a log that a test set up: what it wrote to is closed when the test is over."""
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is kept between runs out of the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real footage; the test is skipped where there is none."""
    if not _CLIPS.is_dir():
        pytest.skip(f"no clips at {_CLIPS}: set SDSTREAM_CLIPS to a folder that has them")
    return _CLIPS


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test without hidden secrets, as each process does."""
    monkeypatch.setattr(redact, "_hidden", set())
