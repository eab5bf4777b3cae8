"""`sdstream sources` sees a sender on the network, and prints the settings for that sender."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command_line import Sdstream
from tests.harness import network, programs
from tests.harness.requirements import need

SENDER = (
    "{version: 1, canvas: {width: 64, height: 48, fps: 10}, source: {kind: testsrc}, "
    "engine: {kind: passthrough}, sinks: [{kind: ndi, name: hello}]}"
)
SDSTREAM = (sys.executable, "-m", "sdstream")


@pytest.mark.ndi
@pytest.mark.slow
def test_an_ndi_sender_is_listed_with_settings_that_reach_it(tmp_path: Path):
    need(network.missing())
    pytest.importorskip("NDIlib")
    file = tmp_path / "sender.yaml"
    file.write_text(SENDER)
    with network.private_network() as place:
        command = place.command(*SDSTREAM, "run", str(file), "--quiet")
        with programs.running(command, tmp_path / "sender.log"):
            found = look(place)
            probed = ask(place, "probe", f"ndi:{found['address']}", "--for", "4", "--json")
    assert found["label"].endswith("(hello)")
    assert found["settings"] == {"kind": "ndi", "name": found["label"]}
    assert probed["size"] == "64x48"


def look(place: network.Network) -> dict[str, dict[str, str]]:
    for _ in range(10):
        if found := ask(place, "sources", "--ip", "127.0.0.1", "--for", "2", "--json")["sources"]:
            return found[0]
    raise AssertionError("the sender did not appear")


def ask(place: network.Network, *words: str):
    answer = subprocess.run(place.command(*SDSTREAM, *words), capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_a_machine_without_ndi_says_so_and_lists_the_rest(sdstream: Sdstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "NDIlib", None)
    answer = sdstream("sources", "--json")
    assert answer.status == 0
    assert "[ndi]'" in answer.err
    assert all(source["settings"]["kind"] == "ffmpeg" for source in json.loads(answer.out)["sources"])
