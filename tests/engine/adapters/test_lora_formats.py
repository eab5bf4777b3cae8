"""Every format of LoRA file changes the weights as the library of the format does."""

from pathlib import Path

import peft
import pytest
import torch
from lycoris.modules.full import FullModule
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from torch import Tensor, nn

from sdstream.config.engine import DiffusionSettings, LoraSettings
from sdstream.engine.acceleration import open_model
from sdstream.engine.adapters.lora import Loras, fuse_loras
from sdstream.engine.models import Model
from sdstream.errors import Unavailable
from tests.engine.adapters.lora_files import DOWN, LAYER, TEXT, UP, saved

CONVOLUTION = "mid_block.resnets.0.conv1"
NORM = "down_blocks.0.attentions.0.norm"
PROJECTION = "down_blocks.0.attentions.0.proj_in"  # a convolution of 1x1
BIASED = "time_embedding.linear_1"

LYCORIS = [
    (LoConModule, {}),
    (LoConModule, {"use_tucker": True}),
    (LoConModule, {"rs_lora": True}),
    (LoConModule, {"weight_decompose": True}),
    (LoConModule, {"weight_decompose": True, "wd_on_out": False}),
    (LohaModule, {}),
    (LohaModule, {"use_tucker": True}),
    (LohaModule, {"weight_decompose": True}),
    (LohaModule, {"weight_decompose": True, "wd_on_out": False}),
    (LokrModule, {}),
    (LokrModule, {"full_matrix": True}),
    (LokrModule, {"lora_dim": 1, "factor": 4}),
    (LokrModule, {"lora_dim": 1, "decompose_both": True, "factor": 4}),
    (LokrModule, {"lora_dim": 1, "use_tucker": True}),
    (LokrModule, {"weight_decompose": True}),
    (FullModule, {}),
]


@pytest.fixture
def model(tiny_model: Path) -> Model:
    return open_model(DiffusionSettings(model=str(tiny_model), device="cpu"))


def parts(model: Model) -> dict[str, object]:
    return {"unet": model.unet, **model.text.parts}


def layer(model: Model, path: str) -> nn.Module:
    if path.startswith("text_model."):
        return model.text.parts["text_encoder"].get_submodule(path.removeprefix("text_model."))
    return model.unet.get_submodule(path)


def kohya(path: str) -> str:
    return ("lora_te_" if path.startswith("text_model.") else "lora_unet_") + path.replace(".", "_")


def scattered(module: nn.Module) -> nn.Module:
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return module


def weight_of(module: nn.Module) -> Tensor:
    """Read a layer's weight from the answers to impulses: LyCORIS 4.1 merges LoHa and LoKr at the squared scale."""
    bias = 0 if module.bias is None else module.bias
    if isinstance(module, nn.Linear):
        return (module(torch.eye(module.in_features)) - bias).T
    size = module.kernel_size[0]
    impulses = torch.zeros(module.in_channels, module.in_channels, size, size)
    impulses[range(module.in_channels), range(module.in_channels), size // 2, size // 2] = 1
    answers = module(impulses) - (bias if isinstance(bias, int) else bias.view(-1, 1, 1))
    return answers.flip(2, 3).transpose(0, 1)


@torch.no_grad()
def of_lycoris(
    kind: type, options: dict[str, object], path: str, target: nn.Module
) -> tuple[dict[str, Tensor], Tensor]:
    """Return LyCORIS's tensors for a layer, and the layer's weight with LyCORIS's module."""
    if kind is FullModule:
        module = scattered(FullModule("x", target))
        tensors = {"diff": module.weight} | ({} if module.bias is None else {"diff_b": module.bias})
        weight = module.get_merged_weight()[0]
    else:
        module = scattered(kind("x", target, **{"lora_dim": 4, "alpha": 2, **options}))
        tensors = module.custom_state_dict()
        module.apply_to()
        weight = weight_of(target)
        module.restore()
    state = {f"{kohya(path)}.{name}": tensor.detach().clone() for name, tensor in tensors.items()}
    return state, weight.detach().clone()


@pytest.mark.parametrize(
    ("path", "fuse"), [(LAYER, False), (CONVOLUTION, False), (PROJECTION, True), (TEXT, False)], ids=str
)
@pytest.mark.parametrize(("kind", "options"), LYCORIS, ids=str)
def test_a_file_of_lycoris_gives_the_weights_of_lycoris(model, tmp_path, kind, options, path, fuse):
    target = layer(model, path)
    state, expected = of_lycoris(kind, options, path, target)
    before = target.weight.clone()
    chosen = {"a": LoraSettings(path=saved(tmp_path, state), fuse=fuse)}
    fuse_loras(parts(model), chosen)
    if not fuse:
        loras = Loras(parts(model), chosen)
        loras.encode_with((1.0,))
        loras.fuse_if_uniform([(1.0,)])
    torch.testing.assert_close(target.weight.detach(), expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(target.weight, before, atol=1e-3)


def test_norms_of_lycoris_change_weight_and_bias(model, tmp_path):
    target = layer(model, NORM)
    module = scattered(NormModule("x", target))
    weight, bias = (number.detach().clone() for number in module.make_weight())
    state = {f"{kohya(NORM)}.{name}": getattr(module, name).detach() for name in ("w_norm", "b_norm")}
    Loras(parts(model), {"a": LoraSettings(path=saved(tmp_path, state))}).fuse_if_uniform([(1.0,)])
    torch.testing.assert_close(target.weight.detach(), weight, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(target.bias.detach(), bias, atol=1e-5, rtol=1e-5)


PEFT = [
    (peft.LoraConfig, {"r": 4, "lora_alpha": 2}),
    (peft.LoraConfig, {"r": 4, "lora_alpha": 2, "use_rslora": True}),
    (peft.LoraConfig, {"r": 4, "lora_alpha": 2, "use_dora": True}),
    (peft.LoraConfig, {"r": 4, "lora_alpha": 2, "lora_bias": True}),
    (peft.LoraConfig, {"r": 4, "lora_alpha": 2, "modules_to_save": ["conv_out"]}),
    (peft.LoraConfig, {"r": 4, "alpha_pattern": {"conv_in": 2}, "rank_pattern": {"linear_1": 2}}),
    (peft.LoHaConfig, {"r": 4, "alpha": 2}),
    (peft.LoHaConfig, {"r": 4, "alpha": 2, "use_effective_conv2d": True}),
    (peft.LoKrConfig, {"r": 2, "alpha": 3}),
    (peft.LoKrConfig, {"r": 2, "alpha": 3, "use_effective_conv2d": True, "decompose_both": True}),
]


@pytest.mark.filterwarnings("ignore:Adapter 'default'")  # PEFT wonders about the shape of its own biases
@pytest.mark.parametrize(("config", "options"), PEFT, ids=str)
def test_a_folder_of_peft_gives_the_weights_of_peft(tiny_model, model, tmp_path, config, options):
    start = {"init_lora_weights" if config is peft.LoraConfig else "init_weights": False}
    theirs = open_model(DiffusionSettings(model=str(tiny_model), device="cpu")).unet
    wrapped = peft.get_peft_model(theirs, config(target_modules=[BIASED, "conv_in", CONVOLUTION], **start, **options))
    scattered(nn.ParameterList(p for p in wrapped.parameters() if p.requires_grad))
    wrapped.save_pretrained(tmp_path / "peft")
    expected = wrapped.merge_and_unload().state_dict()
    before = model.unet.conv_in.weight.clone()
    loras = Loras(parts(model), {"a": LoraSettings(path=str(tmp_path / "peft"))})
    loras.fuse_if_uniform([(1.0,)])
    torch.testing.assert_close(dict(model.unet.state_dict()), dict(expected), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(model.unet.conv_in.weight, before, atol=1e-3)


LIVE = [
    (CONVOLUTION, LoConModule, {"use_tucker": True}),
    (PROJECTION, LohaModule, {}),
    (LAYER, LokrModule, {}),
    (LAYER, LoConModule, {"weight_decompose": True}),
    (CONVOLUTION, FullModule, {}),
    (BIASED, FullModule, {}),
]


def rows(model: Model, path: str, file: str) -> tuple[Tensor, Tensor]:
    """Return the output of three rows at weights 0, 0.5 and 1: as branches, and fused row by row."""
    loras = Loras(parts(model), {"a": LoraSettings(path=file)})
    loras.attach(model.unet)
    module = model.unet.get_submodule(path)
    channels = module.num_channels if isinstance(module, nn.GroupNorm) else module.weight.shape[1]
    x = torch.randn(3, channels, *[] if isinstance(module, nn.Linear) else [8, 8])
    weights = [(0.0,), (0.5,), (1.0,)]
    fused = []
    for row in range(3):
        loras.fuse_if_uniform([weights[row]] * 3)
        loras.set_rows([weights[row]] * 3)
        fused.append(module(x)[row])
    loras.set_rows(weights)
    assert loras.difference is not None
    return module(x), torch.stack(fused)


@torch.inference_mode()
@pytest.mark.parametrize(("path", "kind", "options"), LIVE, ids=str)
def test_rows_with_different_weights_get_theirs_in_every_format(model, tmp_path, path, kind, options):
    state, _ = of_lycoris(kind, options, path, layer(model, path))
    branches, fused = rows(model, path, saved(tmp_path, state))
    torch.testing.assert_close(branches, fused, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(fused[0], fused[2], atol=1e-2)


@torch.inference_mode()
@pytest.mark.parametrize("path", [NORM, "conv_in", BIASED])
def test_rows_get_their_norms_and_their_biases_alone(model, tmp_path, path):
    size = layer(model, path).bias.shape
    state = {f"{kohya(path)}.b_norm": torch.randn(size), f"{kohya(path)}.w_norm": torch.randn(size)}
    alone = {f"{kohya(path)}.diff_b": torch.randn(size)}
    branches, fused = rows(model, path, saved(tmp_path, state if path == NORM else alone))
    torch.testing.assert_close(branches, fused, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(fused[0], fused[2], atol=1e-2)


K = kohya(LAYER)
PAIR = {f"{K}.lora_down.weight": DOWN, f"{K}.lora_up.weight": UP}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({f"{K}.hada_w1_a": UP, f"{K}.hada_w1_b": DOWN, f"{K}.hada_w2_a": UP}, "part of a LoHa; hada_w2_b is missing"),
        ({f"{K}.lokr_w1": torch.ones(20_000, 40), f"{K}.lokr_w2": torch.ones(900, 900)}, "different base"),
        (
            {f"{K}.lokr_w1": UP, f"{K}.lokr_w2_a": torch.ones(200_000, 1), f"{K}.lokr_w2_b": torch.ones(1, 200_000)},
            "lokr_w2 of 40000000000 numbers",
        ),
        ({f"{K}.lora_up.weight": torch.ones(300_000, 1), f"{K}.lora_down.weight": torch.ones(1, 32)}, "different base"),
        (
            {f"{K}.lora_up.weight": torch.ones(300_000, 1), f"{K}.lora_down.weight": torch.ones(1, 300_000)},
            "different base",
        ),
        (
            {
                f"{K}.hada_w{k}_{x}": torch.ones(200_000, 1).T if x == "b" else torch.ones(200_000, 1)
                for k in (1, 2)
                for x in "ab"
            },
            "different base",
        ),
        ({f"{K}.lora_up.weight": torch.tensor(1.0), f"{K}.lora_down.weight": DOWN}, "cannot be loaded"),
        ({f"{K}.lokr_w1": UP}, "part of a LoKr; lokr_w2_a is missing"),
        (PAIR | {f"{K}.diff": UP @ DOWN}, "a tensor .difference. without a meaning"),
        (PAIR | {f"{K}.dora_scale": torch.ones(3, 1)}, "different base"),
        ({f"{K}.dora_scale": torch.ones(16, 1)}, "magnitude"),
        (PAIR | {f"{K}.diff_b": torch.ones(16)}, "has no bias"),
        (PAIR | {f"{kohya(NORM)}.w_norm": torch.ones(16)}, "b_norm is missing"),
        (PAIR | {f"{K}.oft_blocks": torch.ones(4, 4, 4)}, "oft_blocks"),
        (PAIR | {f"{K}.scalar": torch.ones(1)}, "scalar"),
        (PAIR | {f"unet.{LAYER}.lora_A.weight": DOWN}, "second tensor"),
        ({f"unet.{LAYER}.weight": UP @ DOWN}, "whole weights only"),
        (PAIR | {"unet.conv_in.weight": torch.ones(3)}, "conv_in.weight"),
        (PAIR | {f"{kohya(BIASED)}.diff_b": torch.full((64,), 1e39, dtype=torch.float64)}, "NaN or infinite"),
    ],
)
def test_a_change_that_is_not_whole_or_does_not_fit_is_refused_by_name(model, tmp_path, state, said):
    with pytest.raises(Unavailable, match=said):
        Loras(parts(model), {"a": LoraSettings(path=saved(tmp_path, state))})


def test_a_lora_too_strong_for_the_number_format_is_refused(tiny_model, tmp_path):
    model = open_model(DiffusionSettings(model=str(tiny_model), device="cpu", dtype="float16", acceleration="eager"))
    state = {f"{K}.lora_down.weight": DOWN * 1e4, f"{K}.lora_up.weight": UP * 1e4}
    with pytest.raises(Unavailable, match="infinite numbers in float16"):
        Loras(parts(model), {"a": LoraSettings(path=saved(tmp_path, state))})
