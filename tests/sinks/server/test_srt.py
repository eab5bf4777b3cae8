"""SRT through the ffmpeg program, to a real receiver: another ffmpeg program."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.harness import bars, network
from tests.harness.network import Network
from tests.harness.programs import end
from tests.harness.recording import Recording
from tests.harness.wait import until
from tests.sinks.sink_process import sender

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg program: sudo apt install ffmpeg")

PHRASE = "c0rrect-h0rse-battery"


@pytest.fixture(scope="module")
def private() -> Iterator[Network]:
    if reason := network.missing():
        pytest.skip(reason)
    with network.private_network() as made:
        yield made


@contextmanager
def receiver(private: Network, file: Path, options: str = "") -> Iterator[None]:
    """Receive by SRT on port 9101, and write what comes to `file`."""
    url = f"srt://127.0.0.1:9101?mode=listener{options}"
    command = private.command("ffmpeg", "-loglevel", "error", "-i", url, "-c", "copy", "-f", "mpegts", str(file))
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with program:
        time.sleep(1.0)  # UDP: nobody can ask whether it listens
        try:
            yield
        finally:
            end(program)


def command_lines() -> str:
    """Return the arguments and the environment of every ffmpeg program that sends."""
    told = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ")
            told += [line + (process / "environ").read_bytes()] if b"-fpre" in line else []
    return b"\n".join(told).decode(errors="replace")


def test_the_receiver_gets_pictures_and_sound(private: Network, tmp_path: Path) -> None:
    with (
        receiver(private, tmp_path / "got.ts"),
        sender(private, 5.0, kind="srt", url="srt://127.0.0.1:9101") as running,
    ):
        told = running.told()
    assert told["error"] is None, told
    recording = Recording.read(tmp_path / "got.ts")
    assert (recording.video_codec, recording.audio_codec) == ("h264", "aac")
    assert max(bars.error(picture) for picture in recording.pictures) <= 3
    assert recording.loudest() == pytest.approx(bars.TONE, abs=2)


def test_the_passphrase_stands_in_no_argument_and_in_no_log(private: Network, tmp_path: Path) -> None:
    url = f"srt://127.0.0.1:9101?passphrase={PHRASE}"
    with (
        receiver(private, tmp_path / "got.ts", f"&passphrase={PHRASE}"),
        sender(private, 5.0, kind="ffmpeg", url=url) as running,
    ):
        seen = until(lambda: [line for line in command_lines().splitlines() if "-fpre" in line], 10, "the program")
        told = running.told()
    assert PHRASE not in seen[0]
    assert told["error"] is None, told
    assert PHRASE not in told["output"]
    assert Recording.read(tmp_path / "got.ts").pictures


@pytest.mark.parametrize("options", ["", "&passphrase=an0ther-passphrase"])
def test_another_passphrase_is_lost_and_says_so(private: Network, tmp_path: Path, options: str) -> None:
    with (
        receiver(private, tmp_path / "got.ts", f"{options}&latency=200000"),
        sender(private, 4.0, kind="srt", url="srt://127.0.0.1:9101", passphrase=PHRASE) as running,
    ):
        told = running.told()
    assert told["error"] == "Lost"
    assert "the receiver has another passphrase" in told["message"] or "SRT receiver" in told["message"]
    assert PHRASE not in told["output"]


def test_a_receiver_that_is_not_there_is_lost_within_the_timeout(private: Network) -> None:
    began = time.monotonic()
    with sender(private, 4.0, kind="srt", url="srt://127.0.0.1:9109", timeout=2) as running:
        told = running.told()
    assert told["error"] == "Lost"
    assert "srt://127.0.0.1:9109" in told["message"]
    assert "expected an SRT receiver that listens" in told["message"]
    assert time.monotonic() - began < 12


def test_a_receiver_that_ends_is_lost(private: Network, tmp_path: Path) -> None:
    with sender(private, 15.0, kind="srt", url="srt://127.0.0.1:9101?mode=listener", timeout=10) as running:
        time.sleep(2)
        command = [
            "ffmpeg",
            "-loglevel",
            "error",
            "-t",
            "2",
            "-i",
            "srt://127.0.0.1:9101",
            "-c",
            "copy",
            "-f",
            "mpegts",
        ]
        subprocess.run(
            private.command(*command, str(tmp_path / "got.ts")), timeout=20, check=False, capture_output=True
        )
        told = running.told()
    assert told["error"] == "Lost"
    assert told["sent"] > 30


def test_the_program_ends_with_the_sink(private: Network, tmp_path: Path) -> None:
    with (
        receiver(private, tmp_path / "got.ts"),
        sender(private, 20.0, kind="srt", url="srt://127.0.0.1:9101") as running,
    ):
        until(lambda: "-fpre" in command_lines(), 10, "the program")
        running.signal(9)
        until(lambda: "-fpre" not in command_lines(), 5, "no program is left")


def test_without_the_program_srt_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    from sdstream.errors import Unavailable
    from sdstream.system import ffmpeg_program

    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match="sudo apt install ffmpeg"):
        ffmpeg_program.program()
