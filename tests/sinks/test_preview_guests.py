"""Slow, rude or too many guests of a preview: no guest holds up another guest."""

import socket
from contextlib import ExitStack, suppress
from http import HTTPStatus

import numpy as np
import psutil
import pytest

from sdstream.config.schema import Canvas
from sdstream.frame import Frame
from sdstream.sinks.preview import client
from tests.harness.wait import until
from tests.sinks.browser import rest
from tests.sinks.preview_stage import GET, Stage, connections, on_air


def test_a_client_that_does_not_read_holds_nobody_up_and_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "STALL_TIMEOUT", 0.5)
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    stage = Stage()
    stage.frame = lambda tick, inverted: Frame(noise, tick, tick, float(tick))
    with on_air(stage, Canvas(width=640, height=480)) as (browser, sink), ExitStack() as parts:
        slow = [parts.enter_context(browser.connect(GET)) for _ in range(3)]
        for connection in slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        until(lambda: connections(sink) == 3, 5, "they are there")
        with browser.follow("/camera.mjpeg") as pictures:
            for _ in range(20):
                assert next(pictures).shape == (480, 640, 3)
            until(lambda: connections(sink) == 1, 10, "those who do not read were left")
            next(pictures)


def test_a_slow_client_gets_fewer_pictures_and_those_whole():
    ours, theirs = socket.socketpair()
    jpeg = b"\xff\xd8" + bytes(300_000) + b"\xff\xd9"
    theirs.sendall(GET.replace(b"1.1", b"1.0"))
    with theirs:
        served = client.Client(ours, lambda request: client.Answer(HTTPStatus.OK, mjpeg="show"), 0.0)
        served.serve(0.0)
        for number in range(50):
            served.show(jpeg, float(number) / 100)
        theirs.settimeout(0.2)
        got = bytearray()
        with suppress(TimeoutError):
            while True:
                got += theirs.recv(1 << 20)
                served.serve(0.5)
        served.close()
    parts = got.split(b"--picture\r\n")[1:-1]
    assert 1 <= len(parts) <= 5
    assert {bytes(part.partition(b"\r\n\r\n")[2]) for part in parts} == {jpeg + b"\r\n"}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"hello\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 20_000, b"431"),
        (b"POST /status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n", b"405"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
        (b"GET /show.png HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"404"),
        (b"GET /status HTTP/1.0\r\n\r\n", b"200"),
    ],
)
def test_every_request_gets_the_answer_that_it_deserves(said: bytes, status: bytes):
    with on_air() as (browser, sink):
        answer = rest(browser.connect(said))
        assert answer.split(b" ")[1] == status, answer
        assert browser.status_of("/") == 200
        until(lambda: connections(sink) == 0, 5, "nobody stays")


@pytest.mark.parametrize("said", [b"", b"GET / HT"])
def test_a_silent_guest_is_told_so_and_disconnected(monkeypatch: pytest.MonkeyPatch, said: bytes):
    monkeypatch.setattr(client, "REQUEST_TIMEOUT", 0.2)
    with on_air() as (browser, _):
        assert rest(browser.connect(said)).startswith(b"HTTP/1.1 408 ")


def test_when_all_places_are_taken_the_idle_make_room_and_the_rest_are_told():
    with on_air(clients=3) as (browser, sink), ExitStack() as guests:
        idle = [guests.enter_context(browser.connect()) for _ in range(3)]
        until(lambda: connections(sink) == 3, 5, "all places are taken")
        streams = [guests.enter_context(browser.follow("/show.mjpeg")) for _ in range(3)]
        assert [rest(connection) for connection in idle] == [b"", b"", b""]
        assert browser.status_of("/status") == 503
        assert [next(stream).shape for stream in streams] == [(48, 64, 3)] * 3
        guests.close()
        until(lambda: connections(sink) == 0, 5, "they have left")
        assert browser.status_of("/status") == 200


def test_after_a_storm_of_clients_of_every_kind_nothing_is_left_behind():
    dice = np.random.default_rng(7)
    stage = Stage()
    with on_air(stage, clients=8) as (browser, sink):
        browser.ask("/")
        files = psutil.Process().num_fds()
        for number in range(150):
            words = (GET, b"GET /pair.jpg HTTP/1.0\r\n\r\n", b"", dice.bytes(50), GET[:20])
            said = words[number % len(words)]
            with browser.connect(said) as connection:
                if said in words[:2] and dice.random() < 0.5:
                    connection.recv(10)
        until(lambda: connections(sink) == 0, 10, "all have left")
        assert browser.picture("/show.jpg").shape == (48, 64, 3)
        until(lambda: psutil.Process().num_fds() <= files, 5, "no file stays open")


def test_closing_sends_everybody_away():
    with ExitStack() as guests:
        with on_air() as (browser, sink):
            guest = guests.enter_context(browser.connect(GET))
            until(lambda: connections(sink) == 1, 5, "it is there")
        assert rest(guest).startswith(b"HTTP/1.1 200 ")
