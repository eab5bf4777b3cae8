"""A saved configuration changes a running show, stage by stage, and no output misses a picture."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import save_file

from sdstream.config.schema import Config
from tests.harness.pipeline_run import PipelineRun, free_port, share_since

MINI = {"model": "mini", "width": 64, "height": 64, "acceleration": "eager"}


@pytest.fixture
def run() -> Iterator[PipelineRun]:
    with PipelineRun({"kind": "testsrc"}, {"kind": "discard"}) as started:
        started.showing("live")
        yield started


def change(run: PipelineRun, **parts: Any) -> None:
    config = run.config.model_dump(mode="json", exclude_unset=True)
    run.pipeline.change(Config.model_validate({**config, **parts}))


def has_ended(pid: int) -> bool:
    """Tell whether a process runs no more; the parent may not have reaped the process yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def refused(run: PipelineRun) -> dict[str, str]:
    return {refusal.name: refusal.reason for refusal in run.report.controls.refused}


@pytest.mark.fault
def test_a_sink_comes_and_goes_and_the_others_miss_nothing(run: PipelineRun, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    before = run.sink()
    change(run, sinks=[{"kind": "discard"}, {"kind": "ffmpeg", "url": str(film)}])
    run.showing("live", "ffmpeg", 30)
    change(run, sinks=[{"kind": "discard"}])
    run.wait(lambda report: [sink.name for sink in report.sinks] == ["discard"])
    change(run, sinks=[{"kind": "discard"}, {"kind": "discard"}])
    run.showing("live", "discard.2")
    assert film.stat().st_size > 0
    assert share_since(before, run.sink()) >= 0.999


@pytest.mark.fault
def test_more_sinks_than_a_run_has_room_for_are_told(run: PipelineRun) -> None:
    change(run, sinks=[{"kind": "discard"}] * 6)
    run.wait(lambda report: len(report.sinks) == 5)
    run.wait(lambda _: "no room for another discard" in refused(run).get("sinks", ""))


@pytest.mark.fault
@pytest.mark.slow
def test_a_new_engine_takes_over_between_two_pictures(run: PipelineRun) -> None:
    before, frames = run.sink(), run.report.engine.frames
    pid = run.pipeline.pids()["engine"]
    change(run, engine=MINI, controls={"steps": [28]})
    run.wait(lambda _: run.pipeline.pids()["engine"] != pid, 60)
    run.wait(lambda _: has_ended(pid), 5)  # an engine of before would keep its memory
    run.showing("live")
    assert share_since(before, run.sink()) >= 0.999
    assert run.report.engine.frames > frames
    assert run.report.engine.restarts == 0


@pytest.mark.fault
@pytest.mark.slow
def test_an_engine_that_cannot_load_is_refused_and_the_old_engine_stays(run: PipelineRun, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    before, pid = run.sink(), run.pipeline.pids()["engine"]
    change(run, engine={"model": str(tmp_path / "empty")})
    run.wait(lambda _: "engine" in refused(run), 60)
    assert run.pipeline.pids()["engine"] == pid
    run.showing("live")
    assert share_since(before, run.sink()) >= 0.999
    change(run, engine={"kind": "passthrough"})
    assert run.pipeline.pids()["engine"] == pid


@pytest.mark.fault
@pytest.mark.slow
def test_a_lora_of_another_base_is_refused_on_air_and_the_old_engine_stays(run: PipelineRun, tmp_path: Path) -> None:
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    pair = {f"{layer}.lora_down.weight": torch.ones(4, 2048), f"{layer}.lora_up.weight": torch.ones(16, 4)}
    save_file(pair, tmp_path / "ink.safetensors")
    before, pid = run.sink(), run.pipeline.pids()["engine"]
    change(run, engine={**MINI, "loras": {"ink": str(tmp_path / "ink.safetensors")}})
    run.wait(lambda _: "engine" in refused(run), 60)
    assert re.search(
        r"LoRA 'ink': .*ink\.safetensors was made for a different base model: the LoRA is for Stable Diffusion XL, "
        r"and this model is .*; choose a LoRA",
        refused(run)["engine"],
    )
    assert run.pipeline.pids()["engine"] == pid
    run.showing("live")
    assert share_since(before, run.sink()) >= 0.999


@pytest.mark.fault
def test_a_new_source_is_opened_and_the_outputs_go_on(run: PipelineRun) -> None:
    before, port = run.sink(), free_port()
    change(run, source={"kind": "rtmp", "listen": f"127.0.0.1:{port}"})
    run.wait(lambda report: report.source.state == "waiting", 30)
    change(run, source={"kind": "rtmp", "listen": f"127.0.0.1:{port}", "stall": 3})
    change(run, source={"kind": "testsrc", "audio": False})
    run.wait(lambda report: report.source.state == "live", 30)
    run.showing("live")
    assert "rtmp_server" not in run.pipeline.pids()
    assert share_since(before, run.sink()) >= 0.999


@pytest.mark.fault
def test_a_port_that_is_taken_leaves_the_old_source_on_air(run: PipelineRun) -> None:
    pid = run.pipeline.pids()["source"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        change(run, source={"kind": "rtmp", "listen": f"127.0.0.1:{taken.getsockname()[1]}"})
        run.wait(lambda _: "another program has it" in refused(run).get("source", ""))
    assert run.pipeline.pids()["source"] == pid
    assert run.report.source.state == "live"


@pytest.mark.fault
@pytest.mark.parametrize(
    ("step", "part", "changed"),
    [
        ("add_sink", "sinks", {"sinks": [{"kind": "discard"}, {"kind": "discard"}]}),
        ("next_engine", "engine", {"engine": MINI}),
        ("change_source", "source", {"source": {"kind": "testsrc", "fps": 10}}),
    ],
)
def test_a_system_without_room_refuses_the_change_and_the_show_goes_on(
    run: PipelineRun, monkeypatch: pytest.MonkeyPatch, step: str, part: str, changed: dict[str, Any]
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(run.pipeline._wiring, step, fail)
    pids = run.pipeline.pids()
    change(run, **changed)
    run.wait(lambda _: "Too many open files" in refused(run).get(part, ""))
    assert run.pipeline.pids() == pids
    assert run.pipeline._wiring.config.engine == run.config.engine
    assert run.pipeline._wiring.config.source == run.config.source


@pytest.mark.fault
def test_the_canvas_waits_for_the_next_start(run: PipelineRun) -> None:
    pids = run.pipeline.pids()
    change(run, canvas={"width": 640, "height": 360})
    run.wait(lambda report: report.seconds > 0, 1)
    before = run.sink().sent
    run.wait(lambda _: run.sink().sent > before + 30)
    assert run.pipeline.pids() == pids
