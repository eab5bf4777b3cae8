"""A real control server beside a real run: looking, changing, presets, restarts, and the end of the server."""

import json
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from sdstream.control.server import REQUEST_WITHIN
from sdstream.system.tokens import read_token, token_file
from tests.harness.control_client import TOKEN, Client, connected, port_of, start, with_prompts
from tests.harness.wait import until


def test_a_patch_reaches_the_controls_and_names_what_was_refused(client: Client) -> None:
    answer = client.ask("PATCH", "/api/controls", {"guidance.scale": 3.5, "bogus": 1, "prompt": "ink wash"})
    assert answer.status == 422
    assert [refused["name"] for refused in answer.json["refused"]] == ["bogus"]
    assert (client.controls()["prompt"], client.controls()["guidance"]["scale"]) == ("ink wash", 3.5)


def test_a_prompt_not_understood_is_told_in_the_answer_and_in_the_state(client: Client) -> None:
    with with_prompts(client.run):
        answer = client.ask("PATCH", "/api/controls", {"prompt": "a cat <lora:ink:0.8>"})
        assert (answer.status, answer.json["refused"]) == (200, [])
        (remark,) = answer.json["remarks"]
        assert (remark["name"], "engine.loras: {ink: ink.safetensors}" in remark["text"]) == ("prompt", True)
        until(lambda: client.ask("GET", "/api/state").json["controls"]["remarks"] == [remark], 5, "the remark")
        assert client.ask("PATCH", "/api/controls", {"prompt": "a cat"}).json["remarks"] == []


def test_a_bypass_is_on_air_within_a_few_pictures_and_live_ends_the_bypass(client: Client) -> None:
    assert client.ask("POST", "/api/air", {"air": "bypass"}).status == 200
    client.run.wait(lambda report: report.sinks[0].showing == "bypass", 1.0)
    client.ask("POST", "/api/air", {"air": "live"})
    client.run.wait(lambda report: report.sinks[0].showing == "live", 2.0)


def test_the_state_is_the_report_of_the_run(client: Client) -> None:
    state = client.ask("GET", "/api/state").json
    assert state["source"]["state"] == "live"
    assert {part["name"] for part in state["parts"]} == {"discard", "source", "engine"}


def test_metrics_are_prometheus_text_with_the_counts_of_the_run(client: Client) -> None:
    client.ask("GET", "/api/state")
    text = client.ask("GET", "/metrics").body.decode()
    samples = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["sdstream_output_due_total", ("discard",)] >= 1
    assert samples["sdstream_state", ("engine", "ready")] == 1
    assert ("sdstream_api_requests_total", ("200", "/api/state")) in samples


def test_a_preset_comes_back_and_survives_the_server(client: Client) -> None:
    client.ask("PATCH", "/api/controls", {"prompt": "red ink", "guidance.scale": 2})
    kept = client.ask("PUT", "/api/presets/red", {"only": ["prompt", "guidance.scale"]})
    assert kept.json == {"prompt": "red ink", "guidance.scale": 2}
    client.ask("PATCH", "/api/controls", {"prompt": "blue", "guidance.scale": 1})
    client.run.signal("control", signal.SIGKILL)
    connected(client.run)
    assert client.ask("POST", "/api/presets/red/recall", {}).status == 200
    assert (client.controls()["prompt"], client.controls()["guidance"]["scale"]) == ("red ink", 2)


def test_a_crossfade_moves_numbers_a_little_at_a_time(client: Client) -> None:
    client.ask("PATCH", "/api/controls", {"guidance.scale": 0, "transition": 0})
    client.ask("PUT", "/api/presets/far", {"values": {"guidance.scale": 10, "prompt": "far"}})
    client.ask("POST", "/api/presets/far/recall", {"seconds": 1.0})
    seen = []
    began = time.monotonic()
    while time.monotonic() - began < 1.5:
        seen.append((time.monotonic() - began, client.controls()["guidance"]["scale"]))
        time.sleep(0.01)  # far below the rate limit
    scales = [scale for _, scale in seen]
    assert scales == sorted(scales)
    assert scales[-1] == 10
    assert len(set(scales)) >= 10
    assert client.controls()["transition"] == 0


def test_a_change_by_hand_takes_the_name_out_of_a_crossfade(client: Client) -> None:
    client.ask("PATCH", "/api/controls", {"guidance.scale": 0, "guidance.delta": 0})
    client.ask("PUT", "/api/presets/both", {"values": {"guidance.scale": 10, "guidance.delta": 4}})
    client.ask("POST", "/api/presets/both/recall", {"seconds": 1.0})
    client.ask("PATCH", "/api/controls", {"guidance.scale": 7})
    time.sleep(1.3)
    assert client.controls()["guidance"] | {"mode": "", "distilled": 0} == {
        "mode": "",
        "scale": 7,
        "delta": 4,
        "distilled": 0,
    }


@pytest.mark.parametrize("values", [{"bogus": 1}, {"guidance.scale": -1}, {"steps": [3, 2]}])
def test_a_preset_of_values_that_no_control_takes_is_refused(client: Client, values: dict[str, Any]) -> None:
    assert client.ask("PUT", "/api/presets/wrong", {"values": values}).status == 422
    assert "wrong" not in client.ask("GET", "/api/presets").json


def test_a_restart_gives_a_new_process_and_counts_no_failure(client: Client) -> None:
    before = client.run.pipeline.pids()["engine"]
    assert client.ask("POST", "/api/parts/engine/restart").json == {"restarted": "engine"}
    client.run.wait(lambda _: client.run.pipeline.pids().get("engine", before) != before)
    client.run.showing("live")


def test_events_tell_a_change_and_the_state(client: Client) -> None:
    address = f"ws://127.0.0.1:{client.port}/api/events"
    with connect(address, subprotocols=[f"sdstream.token.{TOKEN}"]) as events:  # type: ignore[list-item]
        client.ask("PATCH", "/api/controls", {"prompt": "told by events"})
        seen = [json.loads(events.recv(timeout=5)) for _ in range(8)]
    prompts = [event["controls"]["prompt"] for event in seen if event["event"] == "controls"]
    assert "told by events" in prompts
    assert any(event["event"] == "state" and event["state"]["seconds"] > 0 for event in seen)


def test_events_go_on_for_longer_than_a_request_may_take(client: Client) -> None:
    protocols: list[Any] = [f"sdstream.token.{TOKEN}"]
    with connect(f"ws://127.0.0.1:{client.port}/api/events", subprotocols=protocols) as events:
        until = time.monotonic() + REQUEST_WITHIN + 2
        while time.monotonic() < until:
            events.recv(timeout=5)


def test_a_frozen_server_never_holds_up_the_run(client: Client) -> None:
    pid = client.run.pipeline.pids()["control"]
    before = client.run.sink()
    client.run.signal("control", signal.SIGSTOP)
    client.run.wait(lambda report: client.run.pipeline.pids().get("control", pid) != pid, 20)
    after = client.run.sink()
    assert (after.sent - before.sent) / (after.due - before.due) >= 0.999
    connected(client.run)


def test_a_random_token_lies_in_a_file_for_this_user_alone_while_the_run_goes_on(runtime: Path) -> None:
    with start() as run:
        client = connected(run)
        port = port_of(run)
        assert stat.S_IMODE(token_file(port).stat().st_mode) == 0o600
        assert client.ask("PATCH", "/api/controls", {"prompt": "a"}, token=None).status == 401
        assert client.ask("PATCH", "/api/controls", {"prompt": "a"}, token=read_token(port)).status == 200
        assert client.ask("GET", "/api/state", token=None).status == 200
    assert read_token(port) == ""
    assert list(runtime.rglob("*.token")) == []


def test_more_requests_than_the_rate_are_told_when_to_come_back(runtime: Path) -> None:
    with start(rate=5, token=TOKEN) as run:
        client = connected(run)
        answers = [client.ask("GET", "/healthz") for _ in range(30)]
        refused = [answer for answer in answers if answer.status == 429]
        assert refused
        assert int(refused[0].headers["retry-after"]) >= 1
        time.sleep(1.0)
        assert client.ask("GET", "/healthz").status == 200
