"""Surfaces of a run on air: OSC by real datagrams, MIDI by mido's own ports, and the level of the sound."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mido
import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from tests.harness.control_client import TOKEN, Client, connected, start
from tests.harness.wait import until


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Console:
    """A mixing console: sends messages, and listens to changes."""

    def __init__(self, client: Client, port: int, ear: socket.socket) -> None:
        self.client, self.port, self.ear = client, port, ear

    def send(self, address: str, *values: Any) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        self.ear.sendto(builder.build().dgram, ("127.0.0.1", self.port))

    def heard(self) -> list[tuple[str, Any]]:
        self.ear.setblocking(False)
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                message = OscMessage(self.ear.recv(65536))
                found.append((message.address, message.params[0]))
        return found


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("surfaces")
    port = free_udp_port()
    with pytest.MonkeyPatch.context() as patch, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.setenv("XDG_STATE_HOME", str(folder))
        patch.setenv("MIDO_BACKEND", "tests.harness.midi_by_file")
        patch.setenv("MIDI_BY_FILE", str(folder / "midi"))
        osc = {
            "listen": f"127.0.0.1:{port}",
            "controls": ["prompt", "guidance", "air", "sound.gain"],
            "presets": True,
            "to": [f"127.0.0.1:{ear.getsockname()[1]}"],
        }
        modulation = [{"control": "guidance.delta", "low": 0, "high": 2}]
        presets = str(folder / "presets.json")
        with start(osc=osc, midi={"port": "by file"}, modulation=modulation, presets=presets, token=TOKEN) as run:
            yield Console(connected(run), port, ear)


def soon(found: Callable[[], object]) -> None:
    until(found, 30, "the change", every=0.1)


def test_a_message_changes_a_control_and_the_change_is_sent_back(console: Console) -> None:
    soon(lambda: console.send("/prompt", "ink wash") or console.client.controls()["prompt"] == "ink wash")
    console.send("/guidance/scale", 3.0)
    soon(lambda: console.client.controls()["guidance"]["scale"] == 3.0)
    console.heard()
    console.send("/guidance/scale", 4.0)
    soon(lambda: console.client.controls()["guidance"]["scale"] == 4.0)
    heard: list[tuple[str, Any]] = []
    soon(lambda: heard.extend(console.heard()) or ("/guidance/scale", 4.0) in heard)
    way = [value for address, value in heard if address == "/guidance/scale"]
    assert len(way) >= 2
    assert way == sorted(way)


def test_a_control_that_is_not_open_stays(console: Console) -> None:
    console.send("/seed", 77)
    console.send("/prompt", "last")
    soon(lambda: console.client.controls()["prompt"] == "last")
    assert console.client.controls()["seed"] != 77


def test_a_preset_comes_by_its_name(console: Console) -> None:
    assert console.client.ask("PUT", "/api/presets/night", {"values": {"seed": 5}}).status == 200
    console.send("/preset", "nobody")
    soon(lambda: console.send("/preset", "night") or console.client.controls()["seed"] == 5)


def test_a_flood_does_not_change_the_rate_of_the_output(console: Console) -> None:
    before = console.client.run.sink()
    data = OscMessageBuilder("/guidance/scale")
    data.add_arg(2.0)
    datagram = data.build().dgram
    for number in range(100_000):
        console.ear.sendto(datagram if number % 3 else b"\xff" * 60, ("127.0.0.1", console.port))
    console.send("/air", "live")
    time.sleep(1.0)
    after = console.client.run.sink()
    assert after.sent - before.sent >= 0.99 * (after.due - before.due) - 2
    soon(lambda: console.send("/prompt", "after") or console.client.controls()["prompt"] == "after")


def test_the_page_lists_every_address(console: Console) -> None:
    knobs = console.client.ask("GET", "/api/knobs").json
    page = console.client.ask("GET", "/osc")
    assert page.status == 200
    assert all(knob["address"].encode() in page.body for knob in knobs)
    assert {knob["name"] for knob in knobs if knob["osc"]} >= {"prompt", "guidance.scale", "sound.gain"}
    assert not next(knob for knob in knobs if knob["name"] == "seed")["osc"]


def test_a_knob_of_a_controller_is_learned_on_air(console: Console) -> None:
    client = console.client
    midi = Path(os.environ["MIDI_BY_FILE"])
    soon(lambda: client.ask("GET", "/api/midi").json["inputs"] == ["knobs by file 1"])
    assert client.ask("POST", "/api/midi/learn", {"control": "steadiness"}).status == 200

    def turn(value: int) -> None:
        with midi.open("ab") as file:
            file.write(bytes(mido.Message("control_change", control=9, value=value).bytes()))

    soon(lambda: turn(10) or not client.ask("GET", "/api/midi").json["learning"])
    turn(127)
    soon(lambda: client.controls()["steadiness"] == 1.0)
    assert client.ask("DELETE", "/api/midi/steadiness").status == 200
    assert client.ask("DELETE", "/api/midi/steadiness").status == 404


def test_a_control_follows_the_sound(console: Console) -> None:
    seen = set()

    def moves() -> bool:
        seen.add(round(console.client.controls()["guidance"]["delta"], 1))
        return len(seen) >= 3 and max(seen) - min(seen) > 0.5

    soon(moves)


def test_a_tap_gives_the_beat(console: Console) -> None:
    for _ in range(3):
        answer = console.client.ask("POST", "/api/tap")
        time.sleep(0.4)
    assert 100 < answer.json["per_minute"] < 160
