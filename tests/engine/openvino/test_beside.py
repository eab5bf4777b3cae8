"""OpenVINO compiles beside the running graphs: no picture waits, and the change comes when the graph is there."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from sdstream.controls import Controls
from sdstream.engine.openvino.graph import Graph
from sdstream.engine.openvino.unet import split
from tests.engine.openvino.engine_pair import pair, psnr, scene, wait_for
from tests.engine.pixel_engine import ALWAYS, PixelEngine, feed, picture, settings

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed: the [openvino] extra")

OFF, ON = (Controls(steps=(8, 20, 32), cross_frame_attention=on, **ALWAYS) for on in (False, True))


@pytest.mark.parametrize(
    ("rows", "sizes", "calls"),
    [
        (3, (), [(0, 3, 3)]),
        (3, (1, 2, 3, 4), [(0, 3, 3)]),
        (5, (1, 2, 3, 4), [(0, 4, 4), (4, 5, 1)]),
        (9, (1, 2, 4), [(0, 4, 4), (4, 8, 4), (8, 9, 1)]),
        (5, (1, 4, 8), [(0, 4, 4), (4, 5, 1)]),
        (1, (2,), [(0, 1, 2)]),
        (5, (4,), [(0, 4, 4), (4, 5, 4)]),
        (5, (4, 8), [(0, 5, 8)]),
        (7, (8,), [(0, 7, 8)]),
        (3, (2, 8), [(0, 2, 2), (2, 3, 2)]),
    ],
)
def test_rows_are_split_among_the_graphs_that_are_there(rows, sizes, calls):
    assert split(rows, sizes) == calls


def test_cross_frame_attention_switched_on_air_holds_no_picture_and_comes_when_it_is_there(
    tiny_model, gate, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # without graphs of an earlier test
    eager, fast = pair(model=str(tiny_model), width=64, height=64)
    frames = scene(20, 64)
    with PixelEngine(eager) as apart, PixelEngine(eager) as joined, PixelEngine(fast) as engine:
        feed(apart, frames[:6], OFF)
        feed(joined, frames[:6], OFF)
        feed(engine, frames[:6], OFF)
        for frame in frames[6:10]:
            shown, expected = engine(frame, ON), apart(frame, OFF)
            joined(frame, ON)
            assert psnr(shown, expected) > 50
            assert engine.last.preparing == "cross-frame attention"
        gate.set()
        wait_for(lambda: not engine.session.unet.unet.preparing)
        for frame in frames[10:]:
            shown, expected = engine(frame, ON), joined(frame, ON)
        assert psnr(shown, expected) > 50
        assert psnr(shown, apart(frames[-1], OFF)) < 50
        assert engine.last.preparing == ""


def test_a_new_number_of_rows_on_air_holds_no_picture(tiny_model, gate, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    eager, fast = pair(model=str(tiny_model), width=64, height=64)
    many = Controls(steps=(5, 10, 15, 20, 25, 30, 40), **ALWAYS)
    with PixelEngine(eager) as exact, PixelEngine(fast) as engine:
        for shows, frames in ((OFF, scene(5, 64)), (many, scene(10, 64))):
            outputs = feed(engine, frames, shows), feed(exact, frames, shows)
        assert engine.last.preparing == "more U-Net rows"
        assert [(a is None) for a in outputs[0]] == [(b is None) for b in outputs[1]]
        assert min(psnr(a, b) for a, b in zip(*outputs, strict=True) if a is not None) > 50
        gate.set()
        wait_for(lambda: not engine.session.unet.unet.preparing)
        assert psnr(engine(picture(1), many), exact(picture(1), many)) > 50


def test_before_the_first_picture_the_engine_waits_and_so_nothing_compiles_on_air(tiny_model):
    with PixelEngine(settings(tiny_model, acceleration="openvino")) as engine:
        feed(engine, scene(6, 64), ON)
        assert engine.last.preparing == ""
        assert 3 in engine.session.unet.unet._cross_frame.sizes


def test_a_graph_that_cannot_be_had_is_told_once_and_the_picture_goes_on(tiny_model, monkeypatch, tmp_path):
    from structlog.testing import capture_logs

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with PixelEngine(settings(tiny_model, acceleration="openvino")) as engine:
        feed(engine, scene(4, 64), OFF)
        monkeypatch.setattr(Graph, "_compile", lambda graph, rows: (_ for _ in ()).throw(RuntimeError("no memory")))
        with capture_logs() as logs:
            feed(engine, scene(2, 64), ON)
            wait_for(lambda: not engine.session.unet.unet.preparing)
            assert feed(engine, scene(4, 64), ON.model_copy(update={"seed": 3}))[-1] is not None
            wait_for(lambda: not engine.session.unet.unet.preparing)
    told = [log["reason"] for log in logs if log["event"] == "a control has no effect: no graph"]
    assert told == ["no memory"]


def test_a_process_that_ends_in_mid_compilation_ends_well(tiny_model, tmp_path):
    code = f"""
import os, sys
os.environ["XDG_CACHE_HOME"] = {str(tmp_path)!r}
from sdstream.controls import Controls
from tests.engine.pixel_engine import ALWAYS, PixelEngine, feed, settings
from tests.engine.openvino.engine_pair import scene
with PixelEngine(settings({str(tiny_model)!r}, acceleration="openvino")) as engine:
    for on in (False, False, False, False, True):
        feed(engine, scene(1, 64), Controls(steps=(8, 20, 32), cross_frame_attention=on, **ALWAYS))
    assert engine.last.preparing
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr


def test_padding_changes_no_row(tiny_model):
    with PixelEngine(settings(tiny_model, acceleration="openvino")) as engine:
        feed(engine, scene(6, 64), ON)
        unet = engine.session.unet.unet
        latents = engine.session.batch.stream_batch
        rows = latents._rows([entry for entry in latents._in_flight if entry][:2], negative=False)
        x, times = torch.randn(2, *engine.session._shape), torch.tensor([300, 500])
        padded = unet(x, times, rows).clone()
        unet._cross_frame.ready(2)
        np.testing.assert_allclose(padded.numpy(), unet(x, times, rows).numpy(), atol=1e-4)
