"""Nothing but safetensors is opened as weights, whatever a folder's index, adapter, config or tokenizer says."""

import json
import os
import pickle
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from sdstream.engine.conditioning.tokenizer import load_tokenizer
from sdstream.engine.scheduler import noise_table
from sdstream.engine.weights.files import BUNDLED, check_safetensors, read_config, weights
from sdstream.engine.weights.folder_safety import refuse_odd_tokenizer
from sdstream.errors import Forbidden, Unavailable
from tests.harness.nobody import nobody

TENSOR = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
NAME = "model.safetensors"


def safetensors(entries: object, body: bytes = bytes(24)) -> bytes:
    """Return the bytes of a safetensors file."""
    header = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + body


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A component with a single weight."""
    part = tmp_path / "model" / "unet"
    part.mkdir(parents=True)
    (tmp_path / "model" / "model_index.json").write_text("{}")
    (part / "config.json").write_text('{"layers_per_block": 2, "block_out_channels": [320, 640], "vocab_size": 4096}')
    (part / NAME).write_bytes(safetensors({"w": TENSOR}))
    return part


def config(folder: Path, **more: object) -> None:
    (folder / "config.json").write_text(json.dumps(more))


def test_a_plain_folder_is_taken(folder: Path):
    assert weights(folder, "U-Net")[folder / NAME].shapes == {"w": (2, 3)}


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"auto_map": {"AutoModel": "evil.X"}}, "auto_map names code"),
        ({"inner": {"auto_map": {"AutoConfig": "other/repo--evil.X"}}}, "inner.auto_map names code"),
        ({"trust_remote_code": True}, "trust_remote_code names code"),
        ({"custom_pipelines": ["x"]}, "custom_pipelines names code"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantization_config names code or a quantiser"),
        ({"attn_implementation": "evil/kernel"}, "attn_implementation 'evil/kernel' would be fetched as code"),
        ({"_attn_implementation": "kernels-community/x:y"}, "_attn_implementation"),
        ({"vision_config": {"attn_implementation": {"": "a/b"}}}, "vision_config.attn_implementation"),
        ({"_class_name": "evil.X"}, "_class_name 'evil.X' is no class"),
        ({"layers_per_block": 10**7}, "layers_per_block 1e+07 fits no weight: expected at most 8"),
        ({"num_hidden_layers": 9}, "num_hidden_layers 9 fits no weight"),
        ({"transformer_layers_per_block": [1, 100]}, "transformer_layers_per_block 100 fits no weight"),
        ({"vocab_size": 2**31}, "vocab_size 2.15e+09 fits no weight"),
        ({"block_out_channels": [10**6] * 50}, "block_out_channels 1e+06 fits no weight"),
        ({"block_out_channels": [4] * 500}, "block_out_channels has 500 parts"),
        ({"x": [[1] * 60] * 60, "y": [[[1] * 60] * 60] * 3}, "more than 10000 values"),
        ({"hidden_size": 10**4000}, "hidden_size beyond all bounds fits no weight"),
    ],
)
def test_a_config_that_leads_elsewhere_is_refused_by_name(folder: Path, more: dict[str, Any], named: str):
    config(folder, **more)
    with pytest.raises(Unavailable) as refused:
        weights(folder, "U-Net")
    assert named in str(refused.value)


@pytest.mark.parametrize(
    "more",
    [
        {"auto_map": None, "quantization_config": None, "attn_implementation": "sdpa", "trust_remote_code": False},
        {"_attn_implementation": {"text_config": "eager"}, "id2label": {str(n): f"label {n}" for n in range(150)}},
        {"num_hidden_layers": 8, "layers_per_block": 2, "dropout": 1e-9, "sample_size": 4096, "image_size": 518},
    ],
)
def test_a_config_of_an_honest_author_is_taken(folder: Path, more: dict[str, Any]):
    config(folder, **more)
    assert weights(folder, "U-Net")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.bin", "adapter_model.safetensors"])
def test_an_adapter_beside_the_weights_is_refused(folder: Path, name: str):
    (folder / name).write_bytes(safetensors({}, b"") if name.endswith("safetensors") else b"{}")
    with pytest.raises(Unavailable, match=f"{name}: an adapter is not loaded with a model"):
        weights(folder, "U-Net")


@pytest.mark.parametrize(
    "named",
    ["evil.bin", "../x.safetensors", "/etc/passwd", "a/b.safetensors", "none.safetensors", "x.safetensors\n", 7, None],
)
def test_an_index_that_names_other_files_is_refused(folder: Path, named: object):
    (folder / "evil.bin").write_bytes(pickle.dumps(print))
    index = {"metadata": {}, "weight_map": {"w": NAME, "v": named} if named else []}
    (folder / f"{NAME}.index.json").write_text(json.dumps(index))
    with pytest.raises(Unavailable, match=r"index\.json names"):
        weights(folder, "U-Net")


def test_an_index_of_its_own_files_is_taken(folder: Path):
    (folder / "model.safetensors.index.fp16.json").write_text(json.dumps({"weight_map": {"w": NAME}}))
    assert weights(folder, "U-Net")


@pytest.mark.parametrize("name", ["config.json", NAME])
@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "/etc/passwd", "nowhere", "itself", "folder"])
def test_what_is_no_file_of_the_folder_is_refused(folder: Path, name: str, target: str):
    file = folder / name
    file.unlink()
    if target == "pipe":
        os.mkfifo(file)
    elif target == "folder":
        file.mkdir()
    else:
        file.symlink_to(file if target == "itself" else target)
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"expected a file|out of the model's folder|leads nowhere"):
        weights(folder, "U-Net")
    assert time.monotonic() - began < 5


def test_a_link_inside_the_model_and_a_link_to_the_model_are_taken(folder: Path):
    other = folder.parent / "other"
    other.mkdir()
    (folder / NAME).rename(other / NAME)
    (folder / NAME).symlink_to(other / NAME)
    link = folder.parents[1] / "link"
    link.symlink_to(folder.parent)
    assert weights(link / "unet", "U-Net")


def test_the_links_of_the_hubs_cache_are_taken(tmp_path: Path, folder: Path):
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "rev" / "unet"
    for place in (blobs, snapshot):
        place.mkdir(parents=True)
    for number, name in enumerate(("config.json", NAME)):
        (folder / name).rename(blobs / f"{number}")
        (snapshot / name).symlink_to(blobs / f"{number}")
    assert weights(snapshot, "U-Net")


@pytest.mark.parametrize(
    "header",
    [
        b'{"a":{"dtype":"F32","shape":[' + b",".join([b"9" * 4000] * 2000) + b'],"data_offsets":[0,24]}}',
        {"a": TENSOR | {"shape": [1] * 17 + [6]}},
        {"a": TENSOR | {"shape": [-2, -3]}},
        {"a": TENSOR | {"shape": [2.0, 3.0]}},
        {"a": TENSOR | {"shape": [True, 6]}},
        {"a": TENSOR | {"data_offsets": [1, 25]}},
        {"a": TENSOR, "b": TENSOR},
        {"a": TENSOR | {"dtype": "F4096"}},
        {"a": TENSOR | {"dtype": ["F32"]}},
        {"a": []},
        [],
        b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}',
        b"[" * 100_000,
        b"9" * 100_000,
        b'{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"\xff":0}',
    ],
    ids=range(15),
)
def test_a_header_without_sense_is_refused_in_a_moment(tmp_path: Path, header: object):
    file = tmp_path / NAME
    file.write_bytes(safetensors(header))
    began = time.process_time()
    with pytest.raises(Unavailable, match="no whole safetensors file"):
        check_safetensors(file)
    assert time.process_time() - began < 2


def test_a_config_beyond_all_bounds_is_not_read(tmp_path: Path):
    file = tmp_path / "config.json"
    with file.open("wb") as out:
        out.truncate(33 << 20)
    with pytest.raises(Unavailable, match="a config has 33554432 at most"):
        read_config(file, "U-Net")


CLIP = json.loads((BUNDLED / "mini" / "tokenizer" / "tokenizer.json").read_text())


@pytest.mark.parametrize(
    ("rule", "value", "named"),
    [
        ("normalizer", {"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaa"}, "longer at each use"),
        (
            "normalizer",
            {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "x"}]},
            "'Prepend' is no rule",
        ),
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, "'Precompiled' is no rule"),
        ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(a+)+(b+)+$"}}, "a pattern with groups"),
        ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "a" * 600}}, "a pattern with groups"),
    ],
)
def test_a_tokenizer_with_rules_beyond_all_bounds_is_refused(rule: str, value: dict[str, Any], named: str):
    refuse_odd_tokenizer(CLIP, "tokenizer")
    with pytest.raises(Unavailable, match=named):
        refuse_odd_tokenizer(CLIP | {rule: value}, "tokenizer")


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("tokenizer.json", "[" * 200_000, "cannot be read"),
        ("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["evil.X", null]}}', "auto_map names code"),
        ("tokenizer_config.json", None, "expected a file"),
    ],
)
def test_a_tokenizers_folder_is_looked_at_before_a_library_reads_it(
    tmp_path: Path, name: str, text: str | None, named: str
):
    if text is None:
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(Unavailable, match=named):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("steps", [10**10, 0, -1, 1e3, "x", None])
def test_a_schedule_of_unlikely_length_is_refused(steps: object):
    with pytest.raises(Unavailable, match="num_train_timesteps"):
        noise_table({"num_train_timesteps": steps})


def test_a_model_of_another_user_is_forbidden(folder: Path):
    with nobody(), pytest.raises(Forbidden, match="may not be read by this user"):
        weights(folder, "U-Net")
