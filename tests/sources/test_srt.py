"""SRT in through the ffmpeg program, from real senders: other ffmpeg programs, that call and that listen."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sdstream.config.sources import SrtSourceSettings
from sdstream.errors import Forbidden, Unavailable
from sdstream.ipc.context import Context
from sdstream.ipc.mailbox import Mailbox
from sdstream.sources import marker
from sdstream.stages import source as body
from tests.harness.programs import end
from tests.harness.wait import until
from tests.sources.media import make
from tests.sources.source_stage import CANVAS, running_source

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg program: sudo apt install ffmpeg")

PHRASE = "c0rrect & 50% of b'att=?:\\[],;+é\""
OTHER = "an0ther-passphrase"
RAW = ("-f", "data", "-i", "pipe:0", "-map", "0", "-c", "copy", "-flush_packets", "1", "-f", "data")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """Return a minute of MPEG-TS with the number of each picture, a key frame each fifth of a second, and sound."""
    folder = tmp_path_factory.mktemp("srt")
    made = make(folder / "a.mp4", size=(320, 180), count=1800)
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(made), "-c", "copy", str(folder / "a.ts")], check=True)
    return folder / "a.ts"  # an MP4 has all sound of `make` behind the pictures, and FFmpeg brings both together


@contextmanager
def sender(recording: Path, port: int, *options: str):
    """Send the recording at its own pace; `options` are FFmpeg's options of SRT."""
    command = ["ffmpeg", "-v", "error", "-re", "-i", str(recording), "-c", "copy", "-f", "mpegts", *options]
    command += ["-pkt_size", "1316", f"srt://127.0.0.1:{port}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as it:
        try:
            yield it
        finally:
            end(it)


def programs(port: int) -> list[int]:
    """Return the process ids of the programs that receive for a source on `port` (or call `port`)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"ffmpeg") and b"-graph_file" in words and has_port(process, port):
                found.append(int(process.name))
    return found


def has_port(process: Path, port: int) -> bool:
    """Tell whether a process has a UDP socket of `port`, as its own port."""
    sockets = {os.readlink(file) for file in (process / "fd").iterdir()}
    lines = [line.split() for line in (process / "net/udp").read_text().splitlines()[1:]]
    return any(f"socket:[{line[9]}]" in sockets and line[1].endswith(f":{port:04X}") for line in lines)


def listening(**more) -> tuple[SrtSourceSettings, int]:
    port = free_port()
    return SrtSourceSettings(kind="srt", listen=f"127.0.0.1:{port}", **{"stall": 0.5, **more}), port


def taken(source, seconds: float) -> tuple[list, list[int]]:
    """Return the frames of so many seconds, and the numbers in the pictures."""
    deadline, frames, numbers = time.monotonic() + seconds, [], []
    while time.monotonic() < deadline:
        if (frame := source.reader.take(0.5)) is not None:
            frames.append(frame)
            numbers += [mark.counter for mark in [marker.read(frame.pixels)] if mark]
    return frames, numbers


def slots(frames) -> int:
    """Return how many thirtieths of a second have a picture: pictures in a flash count once."""
    return len({round(frame.posted * 30) for frame in frames})


def test_a_sender_that_calls_is_seen_and_heard_evenly(recording):
    settings, port = listening()
    with running_source(settings) as source:
        until(lambda: programs(port), 5, "the program listens")
        assert source.state == "waiting"
        with sender(recording, port):
            source.next_mark(15)
            taken(source, 1.0)
            shown = []
            for _ in range(4):  # a busy machine drops pictures for a moment, an uneven source in every second
                frames, marks = taken(source, 3.0)
                assert marks == sorted(set(marks))
                shown.append((slots(frames), len(marks)))
                if min(shown[-1]) >= 81:
                    break
            assert min(shown[-1]) >= 81, shown
            assert source.count("sound_blocks") > 100
            assert source.count("corrupt_packets") == 0


def test_a_sender_that_listens_is_called(recording):
    port = free_port()
    settings = SrtSourceSettings(kind="srt", url=f"srt://127.0.0.1:{port}?mode=caller&streamid=live/x", stall=0.5)
    with sender(recording, port, "-mode", "listener"), running_source(settings) as source:
        assert source.next_mark(20).counter >= 0
        source.waits_for("live")


def test_the_passphrase_opens_the_stream_and_stands_in_no_argument(recording):
    settings, port = listening(passphrase=PHRASE)
    with capture_logs() as logs, running_source(settings) as source:
        (process,) = until(lambda: programs(port), 5, "the program listens")
        with sender(recording, port, "-passphrase", PHRASE):
            source.next_mark(15)
            told = b"".join(Path(f"/proc/{process}/{name}").read_bytes() for name in ("cmdline", "environ"))
    assert b"c0rrect" not in told
    assert "c0rrect" not in str(logs)


@pytest.mark.parametrize("options", [("-passphrase", OTHER), ()])
def test_a_sender_with_another_passphrase_is_refused_and_the_right_sender_gets_in(recording, options):
    settings, port = listening(passphrase=PHRASE)
    with capture_logs() as logs, running_source(settings) as source:
        until(lambda: programs(port), 5, "the program listens")
        with sender(recording, port, *options) as wrong:
            assert wrong.wait(15) != 0
        assert source.state == "waiting"
        with sender(recording, port, "-passphrase", PHRASE):
            source.next_mark(15)
        refused = [line["reason"] for line in logs if line["event"] == "an SRT sender was refused"]
        assert refused == ["another passphrase, or none"]


def test_a_server_with_another_passphrase_is_lost_and_says_so(recording):
    port = free_port()
    settings = SrtSourceSettings(kind="srt", url=f"srt://127.0.0.1:{port}", passphrase=PHRASE)
    listens = ("-mode", "listener", "-passphrase", OTHER)
    with capture_logs() as logs, sender(recording, port, *listens), running_source(settings) as source:
        source.waits_for("lost")
    reasons = [line["reason"] for line in logs if line["event"] == "source is not there yet"]
    assert "the sender has another passphrase" in reasons[0] or "expected an SRT sender" in reasons[0]
    assert "c0rrect" not in str(logs)


def test_a_server_that_is_not_there_is_lost_and_found_later(recording):
    port = free_port()
    with running_source(SrtSourceSettings(kind="srt", url=f"srt://127.0.0.1:{port}")) as source:
        source.waits_for("lost")
        with sender(recording, port, "-mode", "listener"):
            source.waits_for("live", 30)


def test_a_sender_that_is_killed_comes_back(recording):
    settings, port = listening()
    with running_source(settings) as source:
        for _ in range(3):
            with sender(recording, port) as it:
                source.waits_for("live", 20)
                it.kill()
                source.waits_for("lost")
            until(lambda: programs(port), 10, "the program listens again")
        assert source.count("frames") > 3


def test_a_silent_sender_is_given_up(recording):
    settings, port = listening(read_timeout=1.0)
    with capture_logs() as logs, running_source(settings) as source, sender(recording, port) as it:
        source.waits_for("live", 20)
        it.send_signal(signal.SIGSTOP)
        source.waits_for("lost")
        it.send_signal(signal.SIGCONT)
    assert "the SRT sender sent nothing for 1 s" in str(logs)


def test_a_program_that_is_killed_is_replaced(recording):
    settings, port = listening()
    with running_source(settings) as source:
        with sender(recording, port):
            source.waits_for("live", 20)
            os.kill(programs(port)[0], signal.SIGKILL)
            source.waits_for("lost")
        until(lambda: programs(port), 10, "another program listens")
        with sender(recording, port):
            source.waits_for("live", 20)


def test_bursts_are_shown_one_by_one(recording):
    settings, port = listening()
    data = recording.read_bytes()
    size, every = int(len(data) * 0.4 / 60) // 188 * 188, 0.4
    command = ["ffmpeg", "-v", "error", *RAW, f"srt://127.0.0.1:{port}"]
    with running_source(settings) as source, subprocess.Popen(command, stdin=subprocess.PIPE) as burster:
        began, frames = time.monotonic(), []
        for number in range(25):
            burster.stdin.write(data[number * size : (number + 1) * size])
            burster.stdin.flush()
            frames += taken(source, began + (number + 1) * every - time.monotonic())[0]
        burster.stdin.close()
        end(burster)
    late = [frame for frame in frames if 4.0 < frame.posted - began < 9.0]
    assert slots(late) >= 27 * 5


def test_a_port_that_is_taken_is_told(recording):
    settings, port = listening()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as owner:
        owner.bind(("127.0.0.1", port))
        with running_source(settings) as source:
            source.ends()
    assert isinstance(source.failed[0], Unavailable | Forbidden)
    assert f"127.0.0.1:{port} (UDP)" in str(source.failed[0])


def test_the_program_ends_with_a_stage_that_is_killed():
    port = free_port()
    script = f"""
        from tests.sources.source_stage import running_source
        from sdstream.config.sources import SrtSourceSettings
        import time
        with running_source(SrtSourceSettings(kind="srt", listen="127.0.0.1:{port}")):
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)]) as stage:
        until(lambda: programs(port), 15, "the program listens")
        stage.kill()
    until(lambda: not programs(port), 5, "no program is left")


def test_the_program_ends_with_the_source():
    settings, port = listening()
    with running_source(settings):
        until(lambda: programs(port), 5, "the program listens")
    assert not programs(port)


def test_without_the_program_the_run_ends(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    settings, _ = listening()
    box = Mailbox(CANVAS.width * CANVAS.height * 3, 1)
    context = Context.alone(*body.COUNTERS)
    with pytest.raises(Unavailable, match="sudo apt install ffmpeg"):
        body.run_source(context, settings, CANVAS, body.SourcePorts(box.writer(), None, None))
    box.close()
