"""300 damaged or mismatched model files: each is refused by an error of sdstream, or gives the undamaged numbers."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save
from torch import Tensor

from sdstream.config.engine import EmbeddingSettings, LoraSettings
from sdstream.engine.adapters.controlnet_file import load_controlnet
from sdstream.engine.checkpoint import Checkpoint
from sdstream.engine.conditioning.inversion_names import BUNDLE
from sdstream.engine.conditioning.textual_inversion import read_words
from sdstream.engine.weights.tiny_autoencoder_file import load_tiny_autoencoder
from sdstream.engine.weights.unet_file import load_unet
from sdstream.engine.weights.vae_file import load_vae
from sdstream.errors import SdstreamError
from tests.engine.adapters.lora_files import peft
from tests.engine.original_layout import write_single_file
from tests.engine.tiny_model import make_tiny_model, with_full_autoencoder

State = dict[str, Tensor]
LONGEST = 5.0
"""Seconds of CPU time for a file."""

CPU, FLOAT = torch.device("cpu"), torch.float32


def cut(state: State, key: str, share: float) -> bytes:
    del key
    data = save(state)
    return data[: int(len(data) * share)]


def permuted(state: State, key: str, share: float) -> bytes:
    """Exchange the tensors of two names of different shapes."""
    others = [name for name in state if state[name].shape != state[key].shape]
    other = others[int(share * len(others))] if others else key
    return save({**state, key: state[other], other: state[key]}) if others else cut(state, key, share)


DAMAGES: dict[str, Callable[[State, str, float], bytes]] = {
    "cut": cut,
    "permuted": permuted,
    "renamed": lambda state, key, _: save({f"{name}x" if name == key else name: t for name, t in state.items()}),
    "retyped": lambda state, key, _: save({**state, key: state[key].contiguous().view(torch.int32)}),
    "half": lambda state, key, _: save({**state, key: state[key].half().float()}),
    "NaN": lambda state, key, _: save({**state, key: torch.full_like(state[key], float("nan"))}),
    "infinite": lambda state, key, _: save({**state, key: state[key] + float("inf")}),
    "wrong base": lambda state, key, _: save({**state, key: torch.cat([state[key]] * 2, state[key].ndim - 1)}),
    "extra": lambda state, key, _: save({**state, f"{key}.extra": torch.ones(3)}),
    "missing": lambda state, key, _: save({name: tensor for name, tensor in state.items() if name != key}),
}  # fmt: skip
HARMLESS = {"half"}
"""A damage that no reader can see: such a file may load."""


class Files:
    """A whole file of each kind, and the way to load a file of the kind."""

    def __init__(self, folder: Path) -> None:
        from diffusers import AutoencoderTiny, ControlNetModel, UNet2DConditionModel

        self.folder = with_full_autoencoder(make_tiny_model(folder / "model"))
        tiny = make_tiny_model(folder / "tiny")
        self.unet = UNet2DConditionModel.from_pretrained(self.folder / "unet")
        self._vae_config = json.loads((self.folder / "vae" / "config.json").read_text())
        net = ControlNetModel.from_unet(self.unet)
        for parameter in net.parameters():
            parameter.data.normal_()
        weights = "diffusion_pytorch_model.safetensors"
        autoencoder = AutoencoderTiny.from_pretrained(tiny / "vae")
        self.whole: dict[str, State] = {
            "LoRA": {key: value for key, value in peft().items() if key.startswith("unet.")},
            "LoRA with a word": {
                **{key: value for key, value in peft().items() if key.startswith("unet.")},
                "bundle_emb.fox.emb_params": torch.randn(2, 32),
            },
            "embedding": {"emb_params": torch.randn(2, 32)},
            "ControlNet": dict(net.state_dict()),
            "VAE": load_file(self.folder / "vae" / weights),
            "tiny autoencoder": dict(autoencoder.state_dict()),
            "U-Net": load_file(self.folder / "unet" / weights),
            "checkpoint": load_file(write_single_file(self.folder, self.folder / "whole.safetensors")),
        }
        self.sound = {kind: self.load(kind, save(_tidy(state))) for kind, state in self.whole.items()}

    def load(self, kind: str, data: bytes) -> State:
        """Load a file with this content as `kind`; return the numbers that reach the model."""
        file = self.folder / f"{kind}_file.safetensors"
        file.write_bytes(data)
        return dict(self._loaders()[kind](str(file)))

    def _loaders(self) -> dict[str, Callable[[str], Mapping[str, Tensor]]]:
        config = dict(self.unet.config)
        return {
            "LoRA": self._lora,
            "LoRA with a word": self._lora,
            "embedding": lambda file: {
                word: rows for word, (rows,) in read_words({"fox": EmbeddingSettings(path=file)}, {}, [32])
            },
            "ControlNet": lambda file: load_controlnet("a", Path(file), self.unet, "canny").state_dict(),
            "VAE": lambda file: load_vae(file, self._vae_config, FLOAT).state_dict(),
            "tiny autoencoder": lambda file: load_tiny_autoencoder(Path(file), FLOAT).state_dict(),
            "U-Net": lambda file: load_unet(file, config, FLOAT).state_dict(),
            "checkpoint": self._checkpoint,
        }

    def _lora(self, file: str) -> State:
        from sdstream.engine.adapters.lora_file import read_lora

        changes = read_lora("ink", LoraSettings(path=file), {"unet": self.unet})
        own = self.unet.state_dict()
        deltas = {
            path: change.deltas(own[f"{path.removeprefix('unet.')}.weight"], None) for path, change in changes.items()
        }
        words = {word: rows for word, (rows,) in read_words({}, {"ink": LoraSettings(path=file)}, [32])}
        return words | {path: delta[0] for path, delta in deltas.items() if delta[0] is not None}

    def _checkpoint(self, file: str) -> State:
        checkpoint = Checkpoint(Path(file), self.folder)
        parts = {"unet": checkpoint.unet(FLOAT), "vae": checkpoint.autoencoder(FLOAT)}
        parts["text"] = checkpoint.towers(CPU, FLOAT, pooled=False)[0].encoder
        return {f"{part}.{name}": t for part, module in parts.items() for name, t in module.state_dict().items()}


def _tidy(state: State) -> State:
    return {name: tensor.clone().contiguous() for name, tensor in state.items()}


def same(found: State, sound: State) -> bool:
    return found.keys() == sound.keys() and all(torch.equal(found[name], sound[name]) for name in sound)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    torch.manual_seed(0)
    return Files(tmp_path_factory.mktemp("storm"))


@pytest.mark.slow
@pytest.mark.timeout(400)
@settings(max_examples=300, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_file_is_refused_or_gives_the_undamaged_numbers(files: Files, data: st.DataObject):
    kind = data.draw(st.sampled_from(sorted(files.whole)))
    damage = data.draw(st.sampled_from(sorted(DAMAGES)))
    state = _tidy(files.whole[kind])
    key = data.draw(st.sampled_from(sorted(state)))
    assume(damage != "missing" or not key.startswith(BUNDLE))  # without the word, the LoRA is whole
    content = DAMAGES[damage](state, key, data.draw(st.floats(0, 0.99)))
    before = time.process_time()
    try:
        found = files.load(kind, content)
    except SdstreamError:
        found = None
    assert time.process_time() - before < LONGEST
    assert found is None or damage in HARMLESS or same(found, files.sound[kind])
