"""OpenVINO paints what torch paints, whatever the controls; what it keeps on disk is only ever a help."""

import hashlib
import random
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from structlog.testing import capture_logs

from sdstream.config.engine import DiffusionSettings
from sdstream.config.model_names import BUNDLED
from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.openvino.backend import obstacle
from sdstream.engine.openvino.runtime import Runtime
from sdstream.engine.openvino.unet import GraphUNet
from tests.engine.live_tensors import live_tensors
from tests.engine.openvino.engine_pair import BUILDING, GPU, open_once, pair, psnr, scene, worst
from tests.engine.pixel_engine import ALWAYS, PixelEngine, picture, settings
from tests.engine.random_controls import random_controls

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed: the [openvino] extra")

MODES = ("none", "full", "self_negative", "onetime_negative")
SIZE = {"width": 64, "height": 96}


@pytest.fixture(scope="module")
def open_pair():
    """Opens each model once, in whatever order the tests come."""
    with ExitStack() as stack:
        yield cache(lambda model: [stack.enter_context(PixelEngine(one)) for one in pair(model=model, **SIZE)])


CASES = [
    *(
        ("tiny_model", mode, steps, together)
        for mode in MODES
        for steps in ((30,), (32, 45))
        for together in (False, True)
    ),
    *(
        (model, "onetime_negative", (32, 45), together)
        for model in ("tiny_xl_model", "mini")
        for together in (False, True)
    ),
]


@pytest.mark.parametrize(("model", "mode", "steps", "together"), CASES)
def test_openvino_paints_what_torch_paints_while_everything_changes(request, open_pair, model, mode, steps, together):
    if model == "mini" and not (BUNDLED / "mini").is_dir():
        pytest.skip("the bundled model is not in this checkout")
    engines = open_pair(model if model == "mini" else str(request.getfixturevalue(model)))
    guided = {"guidance": {"mode": mode, "scale": 1.7, "delta": 0.6}, "cross_frame_attention": together, "steps": steps}
    changes = [{}, {"prompt": "neon"}, {"prompt": "(ink:1.4)", "negative_prompt": "oil"}, {"seed": 9}, {}]
    shows = [Controls.model_validate({"prompt": "oil", **guided, **ALWAYS, **change}) for change in changes]
    frames = [np.ascontiguousarray(frame[: SIZE["height"], : SIZE["width"]]) for frame in scene(5, 96)]
    assert worst(engines, frames, shows) > 50


def test_both_see_the_same_rows_while_the_switch_changes_in_flight(request, open_pair):
    engines = open_pair(str(request.getfixturevalue("tiny_model")))
    switch = [True, False, True, True, False, False, True, False]
    shows = [Controls(steps=(8, 20, 32), cross_frame_attention=on, **ALWAYS) for on in switch]
    frames = [np.ascontiguousarray(frame[: SIZE["height"], : SIZE["width"]]) for frame in scene(8, 96)]
    assert worst(engines, frames, shows) > 50


@pytest.fixture(scope="module")
def graphs(tiny_model):
    with PixelEngine(settings(tiny_model, acceleration="openvino")) as engine:
        yield engine


def test_looking_at_each_other_makes_a_difference(graphs):
    results = []
    for together in (False, True):
        graphs.reset()
        show = Controls(steps=(10, 30), cross_frame_attention=together, **ALWAYS)
        results.append([graphs(frame, show) for frame in scene(4, 64)][-1])
    assert psnr(*results) < 50


def test_pictures_handed_out_never_change_and_frames_may_be_read_only(graphs):
    show = Controls(steps=(30,), **ALWAYS)
    frame = picture(0)
    frame.flags.writeable = False
    first = graphs(frame, show)
    before = first.copy()
    graphs(picture(1), show)
    assert np.array_equal(first, before)
    assert first.shape == (64, 64, 3)
    assert first.flags.c_contiguous


def test_a_storm_of_changes_compiles_each_number_of_rows_once_and_leaks_nothing(graphs):
    dice = random.Random(0)
    counts = []
    with capture_logs() as logs:
        for k in range(300):
            graphs(picture(k % 7), random_controls(dice).model_copy(update={"loras": {}}))  # it has none to turn
            if k % 100 == 99:
                counts.append(live_tensors())
    said = [(log["network"], log["rows"]) for log in logs if log["event"] == "compiling for openvino"]
    assert len(said) == len(set(said)) <= 4 * 8  # alone and together, short and long prompts
    assert max(counts[1:]) <= counts[0] * 1.5


def test_two_steps_in_any_guidance_mode_compile_nothing_on_air(tiny_model):
    with PixelEngine(settings(tiny_model, acceleration="openvino")) as engine, capture_logs() as logs:
        for k, mode in enumerate(MODES * 2):
            show = Controls(steps=(32, 45)[k // 7 :], guidance={"mode": mode, "scale": 1.5}, prompt=mode, **ALWAYS)
            engine(picture(k), show)
            engine(picture(k), show)
    assert [log["event"] for log in logs if log["event"] in BUILDING] == []


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_the_second_start_builds_nothing_and_a_damaged_cache_is_built_anew(tiny_model, own_cache):
    expected, said = open_once(tiny_model)
    assert set(BUILDING) <= set(said)
    again, said = open_once(tiny_model)
    assert not set(BUILDING) & set(said)
    assert np.array_equal(again, expected)
    files = [file for file in own_cache.rglob("*") if file.suffix in (".blob", ".graph")]
    for file, damage in zip(files, [b"", b"short", None] * 9, strict=False):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content if damage is None else damage)
    after, said = open_once(tiny_model)
    assert "a kept artefact is damaged and is built again" in said
    assert np.array_equal(after, expected)
    _, said = open_once(tiny_model)
    assert not set(BUILDING) & set(said)


def test_a_blob_of_another_make_is_built_anew(tiny_model, own_cache):
    expected, _ = open_once(tiny_model)
    (file,) = own_cache.rglob("unet-1.blob")
    body = b"made by another version" * 40
    file.write_bytes(hashlib.sha256(body).digest() + body)
    after, said = open_once(tiny_model)
    assert "cached graph was compiled by a different OpenVINO or CPU: compiling again" in said
    assert np.array_equal(after, expected)


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tiny_model, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    _, said = open_once(tiny_model)
    assert "artefacts cannot be kept" in said


def test_another_weight_is_another_model(tiny_model, own_cache, tmp_path):
    from tests.engine.tiny_model import make_tiny_model

    other = make_tiny_model(tmp_path / "other", seed=5)
    first, _ = open_once(tiny_model)
    second, said = open_once(other)
    assert set(BUILDING) <= set(said)
    assert not np.array_equal(first, second)


def test_the_full_autoencoder_runs_too(tmp_path):
    from diffusers import AutoencoderKL

    from tests.engine.tiny_model import make_tiny_model

    model = make_tiny_model(tmp_path / "full")
    sizes = {"block_out_channels": (8, 8, 8, 8), "norm_num_groups": 4}
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    for file in (model / "vae").iterdir():
        file.unlink()
    AutoencoderKL(**sizes, **blocks).save_pretrained(model / "vae")
    eager, fast = pair(model=str(model), width=64, height=64, autoencoder="full")
    with PixelEngine(eager) as one, PixelEngine(fast) as other:
        assert worst([one, other], scene(3, 64), [Controls(steps=(32, 45), **ALWAYS)] * 3) > 50


CPU = torch.device("cpu")
LORA = {"loras": {"ink": {"path": "ink.safetensors"}}}
NET = {"controlnets": {"edges": {"model": "edges", "condition": "canny"}}}


@pytest.mark.parametrize(
    ("more", "device", "reason"),
    [
        ({}, GPU, r"runs on cuda \(set engine.device: cpu\)"),
        (LORA, CPU, r"'ink' is adjustable on air, .* \(set fuse: true\)"),
        (NET, CPU, r"no ControlNets \(remove 'edges' from engine.controlnets\)"),
        ({"dtype": "float16"}, CPU, r"not in float16 \(set engine.dtype: auto\)"),
    ],
)
def test_what_it_cannot_do_is_refused_with_the_setting_to_change(more, device, reason):
    assert re.search(reason, str(obstacle(DiffusionSettings.model_validate(more), device)))


@pytest.mark.parametrize("more", [{}, {"loras": {"lcm": {"path": "lcm.safetensors", "fuse": True}}}])
def test_nothing_is_in_its_way_on_a_cpu(more):
    assert obstacle(DiffusionSettings.model_validate(more), CPU) is None


def test_where_it_is_not_installed_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("sdstream.engine.openvino.backend.find_spec", lambda name: None)
    assert "[openvino]'" in str(obstacle(DiffusionSettings(), CPU))


@pytest.mark.skipif(not (BUNDLED / "mini").is_dir(), reason="the bundled model is not in this checkout")
def test_graphs_that_compute_in_bfloat16_keep_openvinos_own_norms(monkeypatch):
    monkeypatch.setattr("sdstream.engine.openvino.rows.light_norms", lambda unet: pytest.fail("no float32"))
    model = open_model(DiffusionSettings(model="mini", device="cpu", **SIZE))
    runtime = Runtime("float32", 1)
    runtime.processor = replace(runtime.processor, precision="bfloat16")
    shape = (model.channels, SIZE["height"] // 8, SIZE["width"] // 8)
    prompt = Condition(model.text.encode("oil"), model.text.encode(""))
    unet = GraphUNet(runtime, model.unet, shape, prompt.positive)
    x, time = torch.randn(1, *shape), torch.tensor([500])
    row = Row(prompt, negative=False, scene=None, hint=None)
    expected = model.unet(x, time, prompt.positive.tokens[None].float(), return_dict=False)[0]
    torch.testing.assert_close(unet(x, time, [row]), expected, atol=1e-3, rtol=1e-3)


def test_it_tells_nobody_that_it_is_used():
    code = (
        "import sys; from sdstream.engine.openvino.runtime import load_openvino; load_openvino();"
        "sys.exit(any(name.startswith('openvino_telemetry') and module for name, module in sys.modules.items()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_number_of_threads_is_a_setting_and_torch_leaves_graphs_the_cores(tiny_model):
    before = torch.get_num_threads()
    try:
        for acceleration, left in (("openvino", 1), ("eager", 2)):
            with PixelEngine(settings(tiny_model, threads=2, acceleration=acceleration)):
                assert torch.get_num_threads() == left
    finally:
        torch.set_num_threads(before)
