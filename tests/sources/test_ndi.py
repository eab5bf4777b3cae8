"""The NDI source against a sender in another process, in a private network, without discovery."""

import builtins
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from sdstream.config.schema import Canvas
from sdstream.config.sources import NdiSourceSettings
from sdstream.errors import Unavailable
from sdstream.ipc.counters import Counters
from sdstream.sources import ndi as ndi_source
from sdstream.sources.context import COUNTERS, SourceContext
from sdstream.sources.ndi_capture import AUDIO, Audio, Video
from tests.harness import ndi, network
from tests.harness.requirements import need
from tests.harness.wait import until
from tests.sources.source_stage import running_source

ROOT = Path(__file__).parents[2]


def test_a_missing_runtime_ends_the_stage_and_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_ndi(name, *rest):
        if name == "NDIlib":
            raise ImportError("no libndi")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_ndi)
    with running_source(NdiSourceSettings(kind="ndi", url="127.0.0.1:5961")) as source:
        source.ends()
    assert isinstance(source.failed[0], Unavailable)
    assert "[ndi]'" in str(source.failed[0])
    assert "libavahi-client3" in str(source.failed[0])


def test_a_sender_with_sound_alone_does_not_hold_the_source_up(monkeypatch):
    class Capture:
        def __init__(self, *receiver):
            pass

        def take(self, wait):
            time.sleep(min(0.02, wait / 1000))
            return AUDIO, Video(), Audio()

        def free(self, frame):
            pass

    runtime = SimpleNamespace(
        Source=SimpleNamespace,
        RecvCreateV3=lambda *settings: None,
        RECV_BANDWIDTH_HIGHEST=0,
        RECV_COLOR_FORMAT_FASTEST=0,
        recv_create_v3=lambda settings: "receiver",
        recv_destroy=lambda receiver: None,
    )
    monkeypatch.setattr(ndi_source, "load_ndi", lambda: runtime)
    monkeypatch.setattr(ndi_source, "Capture", Capture)
    context = SourceContext(Canvas(width=64, height=64), Counters(COUNTERS), None, lambda: None)
    with ndi_source.NdiSource(NdiSourceSettings(kind="ndi", url="127.0.0.1:5961"), context) as source:
        assert [source.read() for _ in range(3)] == [None] * 3


@pytest.fixture
def private():
    need(ndi.missing())
    with network.private_network() as made:
        yield made


@contextmanager
def process(private, module, *words):
    command = private.command(sys.executable, "-m", f"tests.sources.{module}", *words)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as running_:
        try:
            yield running_
        finally:
            running_.kill()


@contextmanager
def sender(private, name, *size):
    with process(private, "ndi_sender", name, "60", *map(str, size)) as sending:
        assert sending.stdout.readline() == "on air\n"
        yield sending


@contextmanager
def receiver(private, **settings):
    """Give a function that asks the receiver how it is."""
    with process(private, "ndi_receiver", json.dumps(settings)) as receiving:

        def ask():
            receiving.stdin.write("\n")
            receiving.stdin.flush()
            return json.loads(receiving.stdout.readline())

        yield ask


def comes(ask, **wanted):
    """Wait until the receiver tells these things, and return all that it tells."""

    def matches():
        told = ask()
        return told if all(told[name] == value for name, value in wanted.items()) else None

    return until(matches, 30, f"the receiver tells {wanted}")


@pytest.mark.ndi
def test_by_url_pictures_and_sound_come_and_the_colours_are_right(private):
    with receiver(private, url="127.0.0.1:5961") as ask:
        assert ask()["state"] == "waiting"
        with sender(private, "one"):
            told = comes(ask, state="live")
            told = until(lambda: (told := ask())["counter"] is not None and told["sound"] > 0.5 and told, 20, "sound")
            assert told["width"] == 320
            until(lambda: (told := ask())["error"] is not None and told["error"] <= 4, 10, "white as it was sent")


@pytest.mark.ndi
def test_a_sender_that_stops_has_stalled_and_goes_on_when_it_wakes(private):
    with receiver(private, url="127.0.0.1:5961", stall=0.5) as ask, sender(private, "one") as sending:
        comes(ask, state="live")
        sending.send_signal(signal.SIGSTOP)
        comes(ask, state="stalled")
        sending.send_signal(signal.SIGCONT)
        assert comes(ask, state="live")["reopens"] == 0


@pytest.mark.ndi
def test_by_name_a_sender_that_comes_back_on_another_port_is_found_again(private):
    with receiver(private, name="show", extra_ips=["127.0.0.1"], stall=0.5) as ask:
        with sender(private, "show") as sending:
            comes(ask, state="live", width=320)
            sending.kill()
            sending.wait()
            comes(ask, state="stalled")
        with sender(private, "show", 640, 360):
            assert comes(ask, state="live", width=640)["reopens"] == 0
