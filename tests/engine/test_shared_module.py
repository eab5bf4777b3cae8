"""One loaded model serves many sessions and backends: each patches a copy of its own, and all share the weights."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.models import Model
from sdstream.engine.session import Session
from sdstream.engine.shared_module import copy_structure, float_copy
from sdstream.frame import Frame, Pixels
from sdstream.system.user_folders import cache_folder
from tests.engine.adapters.lora_files import everywhere, saved
from tests.engine.pixel_engine import ALWAYS, picture, settings

OPENVINO = pytest.param("openvino", marks=pytest.mark.skipif(not find_spec("openvino"), reason="the [openvino] extra"))
CROSS_FRAME = {"steps": (10, 30), "cross_frame_attention": True, **ALWAYS}


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).requires_grad_(False).eval()


def test_a_copy_has_the_weights_and_buffers_in_the_same_memory():
    module = network()
    copied = copy_structure(module)
    pairs = zip(module.state_dict().values(), copied.state_dict().values(), strict=True)
    assert all(one.data_ptr() == other.data_ptr() for one, other in pairs)
    module[0].weight.data.fill_(3.0)
    assert copied[0].weight.eq(3.0).all()


def test_a_patched_copy_leaves_the_module_as_it_is():
    module = network()
    x = torch.randn(1, 3, 2, 2)
    expected = module(x)
    copied = copy_structure(module)
    copied[0].forward = torch.zeros_like
    copied.register_forward_hook(lambda *_: torch.zeros(1))
    assert torch.equal(module(x), expected)


def test_a_copy_may_be_converted_alone():
    module = network().to(torch.bfloat16)
    copied = float_copy(module)
    assert copied[0].weight.dtype == torch.float32
    assert {tensor.dtype for tensor in module.parameters()} == {torch.bfloat16}


def test_a_tied_weight_stays_tied():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = module[0].weight
    copied = copy_structure(module)
    assert copied[0].weight is copied[1].weight


def state(model: Model) -> list[object]:
    """What a patch of a model would change: its module objects' own attributes, its weights' formats and numbers."""
    modules = [part for root in (model.unet, model.autoencoder) for part in root.modules()]
    patches = [[*sorted(vars(part)), str(part._forward_hooks)] for part in modules]
    processors = {name: id(processor) for name, processor in model.unet.attn_processors.items()}
    parts = (model.unet, model.autoencoder, *model.text.parts.values())
    weights = [(weight.dtype, weight.clone()) for part in parts for weight in part.state_dict().values()]
    return [patches, processors, [dtype for dtype, _ in weights], [weight.tolist() for _, weight in weights]]


@torch.inference_mode()
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("acceleration", ["eager", OPENVINO])
def test_a_session_leaves_the_model_as_it_was_loaded(tiny_model, acceleration, dtype):
    chosen = settings(tiny_model, acceleration=acceleration, dtype=dtype)
    model = open_model(chosen)
    before = state(model)
    session = Session(model, chosen, lambda: 0.0)
    session.warm_up()
    session.call(Frame(picture(0), 0, 0.0, 0.0), Controls(**CROSS_FRAME))
    session.flush()
    assert state(model) == before


@torch.inference_mode()
def test_an_adjustable_lora_leaves_the_model_as_it_was_loaded(tiny_model, tmp_path):
    model = open_model(settings(tiny_model))
    lora = {"a": {"path": saved(tmp_path, everywhere(model.unet, 0))}}
    before = state(model)
    session = Session(model, settings(tiny_model, loras=lora), lambda: 0.0)
    for weight in (0.0, 1.0, 0.5):
        session.call(Frame(picture(0), 0, 0.0, 0.0), Controls(loras={"a": weight}, **CROSS_FRAME))
    assert state(model) == before


def player(model: Model, chosen: DiffusionSettings, controls: Controls) -> Callable[[int], Pixels | None]:
    session = Session(model, chosen, lambda: 0.0, cache=cache_folder())

    def play(number: int) -> Pixels | None:
        restyled = session.call(Frame(picture(number), number, 0.0, 0.0), controls)
        return None if restyled is None else restyled.pixels

    return play


@torch.inference_mode()
@pytest.mark.parametrize("other", ["eager", OPENVINO])
def test_sessions_in_turn_on_one_model_paint_what_each_paints_alone(tiny_model: Path, tmp_path: Path, other: str):
    model = open_model(settings(tiny_model))
    lora = {"a": {"path": saved(tmp_path, everywhere(model.unet, 0))}}
    with_lora = settings(tiny_model, loras=lora), Controls(loras={"a": 0.8}, prompt="oil", **CROSS_FRAME)
    without = settings(tiny_model, acceleration=other), Controls(prompt="oil", **CROSS_FRAME)
    alone = [[play(number) for number in range(4)] for play in (player(model, *with_lora), player(model, *without))]
    players = player(model, *with_lora), player(model, *without)
    in_turn = [[play(number) for play in players] for number in range(4)]
    for number in range(1, 4):
        assert np.array_equal(in_turn[number][0], alone[0][number])
        assert np.array_equal(in_turn[number][1], alone[1][number])
    assert not np.array_equal(alone[0][3], alone[1][3])
