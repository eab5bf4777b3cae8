"""Packets on the way to being due: bursts through a real demuxer and decoder, and memory bounded by bytes."""

import socket
import statistics
import threading
import time

import pytest

from sdstream.config.sources import FfmpegSourceSettings
from sdstream.sources.decoding import playout
from tests.sources.media import make
from tests.sources.source_stage import running_source

BURST = 0.4


@pytest.fixture
def recording(tmp_path):
    """Return the bytes of four seconds of MPEG-TS, with the pictures' number in the pictures."""
    return make(tmp_path / "a.ts", size=(320, 180), count=120).read_bytes()


def in_parts(data, peer, seconds, every):
    """Send `data` within `seconds`, a part at once each `every` seconds."""
    size = int(len(data) * every / seconds) // 188 * 188
    began = time.monotonic()
    for number, place in enumerate(range(0, len(data), size)):
        time.sleep(max(0.0, began + number * every - time.monotonic()))
        peer.sendall(data[place : place + size])


def receive(data, seconds, every, **settings):
    """Return the frames of an input delivered in bursts, and the number of pictures left out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        wish = FfmpegSourceSettings(kind="ffmpeg", url=url, format="mpegts", **settings)
        with running_source(wish) as source:
            peer, _ = server.accept()
            sender = threading.Thread(target=in_parts, args=(data, peer, seconds, every))
            sender.start()
            frames = []
            while (frame := source.reader.take(3.5)) is not None:
                frames.append(frame)
            sender.join()
            peer.close()
            return frames, source.count("queued_pictures")


def slots(frames):
    """Return how many thirtieths of a second have a picture: pictures in a flash count once."""
    return len({round(frame.posted * 30) for frame in frames})


def median_delay(frames):
    return statistics.median(frame.posted - frame.captured for frame in frames)


def test_pictures_out_of_bursts_come_one_by_one(recording):
    frames, left_out = receive(recording, 4.0, BURST)
    assert slots(frames) > 90
    assert left_out < 12


def test_without_a_buffer_pictures_come_in_flashes(recording):
    frames, _ = receive(recording, 4.0, BURST, buffer=0)
    assert slots(frames) < 45
    assert max(frame.posted - frame.captured for frame in frames) < 0.2


def test_too_many_bytes_are_not_kept_waiting(recording, monkeypatch):
    monkeypatch.setattr(playout, "MOST_BYTES", len(recording) // 20)
    frames, _ = receive(recording, 4.0, BURST, buffer=3.0)
    assert median_delay(frames) < 1.0


def test_a_number_delays_every_picture(recording):
    frames, _ = receive(recording, 4.0, 1 / 30, buffer=1.0)
    assert median_delay(frames) == pytest.approx(1.0, abs=0.15)


def test_a_source_that_computes_for_too_long_excuses_what_comes_late(recording, monkeypatch):
    real, excuse, calls, excused = playout.Playout._decode, playout.JitterBuffer.excuse, iter(range(10**9)), []

    def slow(self, now):
        if next(calls) % 12 == 11:
            time.sleep(0.3)  # the reader reads four packets ahead, 0.13 s
        real(self, now)

    def note(self, seconds):
        excused.append(seconds)
        excuse(self, seconds)

    monkeypatch.setattr(playout.Playout, "_decode", slow)
    monkeypatch.setattr(playout.JitterBuffer, "excuse", note)
    receive(recording, 4, 1 / 30)
    assert min(excused) >= 0
    assert len([seconds for seconds in excused if seconds > 0.1]) >= 3
