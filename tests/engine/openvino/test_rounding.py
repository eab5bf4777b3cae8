"""OpenVINO in int8 and bfloat16: what it rounds, for which models, and that the picture stays what it is."""

import json
import shutil
from collections import Counter
from importlib.util import find_spec

import pytest
import torch
from structlog.testing import capture_logs

from scripts.train.observer import Observer
from sdstream.config.engine import DiffusionSettings
from sdstream.config.model_names import BUNDLED
from sdstream.controls import Controls
from sdstream.engine.acceleration import choose, open_model
from sdstream.engine.conditioning.condition import Condition, Embedding
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.openvino.runtime import Runtime, choose_precision, computes_in
from sdstream.engine.openvino.unet import GraphUNet
from sdstream.engine.session import Session
from sdstream.engine.weights.activation_ranges import FILE, ModelRanges
from sdstream.errors import Unavailable
from sdstream.frame import Frame
from tests.engine.adapters.lora_files import peft, saved
from tests.engine.openvino.engine_pair import BUILDING, GPU, open_once, pair, scene, worst
from tests.engine.pixel_engine import ALWAYS, PixelEngine, settings
from tests.engine.tiny_model import make_tiny_model

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed: the [openvino] extra")

MINI = pytest.mark.skipif(not (BUNDLED / "mini").is_dir(), reason="the bundled model is not in this checkout")
LOOKS = ("oil", "starry", "thermal", "pencil")
SHOW = Controls(steps=(32, 45), **ALWAYS)


@pytest.fixture(autouse=True)
def _numbers_of_rows_when_asked_for(monkeypatch):
    """Each takes seconds to compile, and most are never used here."""
    monkeypatch.setattr("sdstream.engine.openvino.unet.PREPARED", 0)


@pytest.fixture(scope="module")
def measured_model(tiny_model, tmp_path_factory):
    """The tiny model with ranges that were measured on what the test paints."""
    folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("measured") / "model")
    session = Session(open_model(settings(folder)), settings(folder), lambda: 0.0)
    unet, autoencoder = Observer(session.unet.module), Observer(session.autoencoder.module)
    with torch.inference_mode(), unet.watching(), autoencoder.watching():
        for frame in scene(4, 64):
            session.call(Frame(frame, 0, 0.0, 0.0), SHOW)
        session.flush()
    (folder / FILE).write_text(ModelRanges(unet.ranges, autoencoder.ranges).text())
    return folder


def rounded_ones(engine: PixelEngine) -> Counter[str]:
    """In which networks convolutions are run by int8, and in how many each."""
    autoencoder = engine.session.autoencoder
    graphs = {"unet": engine.session.unet.unet._plain, "encoder": autoencoder._encoder, "decoder": autoencoder._decoder}
    return Counter(
        name
        for name, graph in graphs.items()
        for step in (step.get_rt_info() for step in graph.ready(1)._model.get_runtime_model().get_ops())
        if step["layerType"].astype(str) == "Convolution" and step["runtimePrecision"].astype(str) in ("u8", "i8")
    )


def test_int8_rounds_the_convolutions_that_were_measured_and_keeps_the_picture(measured_model):
    exact, fast = pair(model=str(measured_model), width=64, height=64)
    fast = fast.model_copy(update={"dtype": "int8"})
    with PixelEngine(exact) as one, PixelEngine(fast) as other:
        ratio = worst([one, other], scene(4, 64), [SHOW] * 4)
        assert set(rounded_ones(other)) == {"unet", "encoder", "decoder"}
    assert 30 < ratio < 60  # as good as equal would be: nothing was rounded


def test_ranges_are_a_part_of_what_a_kept_graph_depends_on(measured_model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = shutil.copytree(measured_model, tmp_path / "model")
    open_once(model, dtype="int8")
    _, said = open_once(model, dtype="int8")
    assert not set(BUILDING) & set(said)
    told = json.loads((model / FILE).read_text())
    told["unet"].popitem()
    (model / FILE).write_text(json.dumps(told))
    _, said = open_once(model, dtype="int8")
    assert set(BUILDING) <= set(said)


@pytest.mark.parametrize(
    ("dtype", "capabilities", "known", "chosen"),
    [
        ("auto", ("FP32", "INT8"), True, "int8"),
        ("auto", ("FP32", "INT8"), False, "float32"),
        ("auto", ("FP32",), True, "float32"),
        ("auto", ("FP32", "INT8", "BF16"), True, "bfloat16"),
        ("int8", ("FP32", "INT8", "BF16"), True, "int8"),
        ("float32", ("FP32", "INT8", "BF16"), True, "float32"),
        ("bfloat16", ("FP32", "INT8", "BF16"), True, "bfloat16"),
    ],
)
def test_what_is_computed_in(dtype, capabilities, known, chosen):
    assert choose_precision(dtype, capabilities, int8=known) == chosen


@pytest.mark.parametrize("acceleration", ["auto", "openvino", "eager"])
def test_int8_that_cannot_be_had_is_refused(tiny_model, acceleration):
    reason = "or use engine.acceleration: openvino$" if acceleration == "eager" else f"has no {FILE}"
    with pytest.raises(Unavailable, match=reason):
        PixelEngine(settings(tiny_model, acceleration=acceleration, dtype="int8")).__enter__()


def test_int8_is_not_given_up_for_another_device():
    with pytest.raises(
        Unavailable, match=r"openvino: .* runs on cuda .*\n  graph: .* not in int8.*\n  eager: .* not in int8"
    ):
        choose(DiffusionSettings(dtype="int8"), GPU)


def test_weights_that_a_lora_changed_are_not_rounded_by_old_ranges(measured_model, tmp_path):
    lora = {"ink": {"path": saved(tmp_path, peft()), "fuse": True}}
    with pytest.raises(Unavailable, match="a LoRA changes the model's weights"):
        PixelEngine(settings(measured_model, acceleration="openvino", dtype="int8", loras=lora)).__enter__()


@MINI
def test_mini_is_rounded_by_itself_where_there_is_no_bfloat16():
    ranges = open_model(DiffusionSettings(model="mini", device="cpu", dtype="float32")).ranges
    assert choose_precision("auto", ("FP32", "INT8"), int8=ranges is not None) == "int8"


@MINI
@pytest.mark.parametrize(
    ("dtype", "convolutions", "ratio"), [("int8", {"unet": 20, "decoder": 5}, 42), ("bfloat16", {}, 50)]
)
def test_mini_keeps_its_picture_in_every_number_format(dtype, convolutions, ratio):
    if not computes_in(dtype):
        pytest.skip(f"this processor does not compute in {dtype}")
    exact, fast = pair(model="mini", width=128, height=128)
    frames = scene(3, 128)
    shows = [Controls(prompt=look, steps=(25,), guidance={"mode": "none"}, **ALWAYS) for look in LOOKS]
    with PixelEngine(exact) as one, PixelEngine(fast.model_copy(update={"dtype": dtype})) as other:
        assert rounded_ones(other) >= Counter(convolutions)
        assert min(worst([one, other], frames, [show] * 3) for show in shows) > ratio


def test_bfloat16_does_not_round_timesteps_and_sizes(tiny_xl_model):
    if not computes_in("bfloat16"):
        pytest.skip("this processor does not compute in bfloat16")
    unet = open_model(settings(tiny_xl_model)).unet
    torch.manual_seed(0)
    prompt = Embedding(torch.randn(77, 64), torch.randn(32))
    row = Row(Condition(prompt, prompt), negative=False, scene=None, hint=None)
    x, times = torch.randn(2, 4, 8, 8), torch.tensor([519, 521])  # both would be 520
    sizes = torch.tensor([1021, 1019, 0, 0, 1021, 1019])
    added = {"text_embeds": prompt.pooled.expand(2, -1), "time_ids": sizes.expand(2, -1)}
    with torch.inference_mode():
        expected = unet(x, times, prompt.tokens.expand(2, -1, -1), added_cond_kwargs=added, return_dict=False)[0]
    graph = GraphUNet(Runtime("bfloat16", 1), unet, (4, 8, 8), prompt, time_ids=sizes)
    apart = (graph(x, times, [row, row]) - expected).std() / expected.std()
    assert apart < 0.03  # 0.08 where they are rounded


def said_of(chosen: DiffusionSettings) -> list[tuple[str, str]]:
    """What number formats an engine says it has, and would have, once it is open."""
    with capture_logs() as logs, PixelEngine(chosen):
        told = [log for log in logs if log["event"] == "ControlNets, LoRAs or IP-Adapters change the number format"]
    return [(log["dtype"], log["without"]) for log in told]


@pytest.mark.parametrize(
    ("able", "more", "said"),
    [
        (("FP32", "INT8", "BF16"), {"fuse": False}, [("float32", "bfloat16")]),
        (("FP32", "INT8"), {"fuse": False}, [("float32", "int8")]),
        (("FP32", "INT8"), {"fuse": True}, [("float32", "int8")]),
        (("FP32",), {"fuse": False}, []),
        (("FP32",), {"fuse": True}, []),
    ],
)
def test_a_lora_that_changes_the_number_format_is_told(measured_model, tmp_path, monkeypatch, able, more, said):
    monkeypatch.setattr("sdstream.engine.openvino.runtime.capabilities", lambda: able)
    lora = {"ink": {"path": saved(tmp_path, peft()), **more}}
    chosen = settings(measured_model, acceleration="auto", dtype="auto", loras=lora)
    assert said_of(chosen) == said
    assert said_of(chosen.model_copy(update={"dtype": "float32"})) == []


def test_a_model_that_openvino_does_not_run_anyway_loses_nothing_by_a_lora(tmp_path, monkeypatch):
    monkeypatch.setattr("sdstream.engine.openvino.runtime.capabilities", lambda: ("FP32", "BF16"))
    model = make_tiny_model(tmp_path / "lcm", time_cond_proj_dim=16)
    lora = {"ink": {"path": saved(tmp_path, peft())}}
    assert said_of(settings(model, acceleration="auto", dtype="auto", loras=lora)) == []
