"""The activation ranges for int8 are measured, written, and checked when they are read."""

import json
import shutil

import pytest
import torch
from torch import nn

from scripts.train.observer import Observer
from sdstream.engine.acceleration import open_model
from sdstream.engine.weights.activation_ranges import FILE, ModelRanges, read_ranges
from sdstream.engine.weights.part_configs import TINY
from sdstream.errors import Unavailable
from tests.engine.pixel_engine import settings
from tests.engine.tiny_model import with_full_autoencoder


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 3, padding=1))


def test_the_widest_inputs_of_3x3_convolutions_are_noted_while_watched():
    module = network()
    observer = Observer(module, skip=("3",))
    with observer.watching():
        module(torch.full((1, 3, 8, 8), 2.5))
        module(torch.full((1, 3, 8, 8), -7.0))
        module(torch.full((1, 3, 8, 8), 1.0))
    module(torch.full((1, 3, 8, 8), 100.0))
    assert observer.ranges == {"0": (-7.0, 2.5)}


def test_zero_always_lies_within_a_range():
    module = network()
    observer = Observer(module, skip=("3",))
    with observer.watching():
        module(torch.full((1, 3, 8, 8), 2.5))
    assert observer.ranges == {"0": (0.0, 2.5)}


def test_a_layer_that_saw_only_zeros_has_no_range():
    module = network()
    observer = Observer(module)
    with observer.watching():
        module(torch.zeros(1, 3, 8, 8))
    assert "0" not in observer.ranges


def test_written_ranges_are_read_back(tmp_path):
    written = ModelRanges({"0": (-1.0, 2.0), "3": (0.0, 4.5)}, {"0": (-0.5, 0.5)})
    (tmp_path / FILE).write_text(written.text())
    assert read_ranges(tmp_path, network(), network()) == written
    assert read_ranges(tmp_path, network(), None) == ModelRanges(written.unet, {})


def test_a_model_without_them_has_none(tmp_path, tiny_model):
    assert read_ranges(tmp_path, network(), network()) is None
    assert open_model(settings(tiny_model)).ranges is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "cannot be read"),
        ("[]", "expected a JSON object"),
        ("{}", "unet: expected an object"),
        (json.dumps({"unet": {"9": [-1, 1]}, "vae": {}}), "no convolution '9'"),
        (json.dumps({"unet": {"1": [-1, 1]}, "vae": {}}), "no convolution '1'"),
        (json.dumps({"unet": {"0": [-1]}, "vae": {}}), "0: expected"),
        (json.dumps({"unet": {"0": [0, 0]}, "vae": {}}), "0: expected"),
        (json.dumps({"unet": {"0": [1, 2]}, "vae": {}}), "0: expected"),
        (json.dumps({"unet": {"0": ["a", 2]}, "vae": {}}), "0: expected"),
        ('{"unet": {"0": [NaN, 2]}, "vae": {}}', "0: expected"),
        ('{"unet": {}, "vae": {"0": [-1, Infinity]}}', "vae: 0: expected"),
    ],
)
def test_impossible_ranges_are_refused_by_name(tmp_path, content, complaint):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(Unavailable, match=complaint):
        read_ranges(tmp_path, network(), network())


def test_a_foreign_autoencoder_is_not_rounded_by_the_ranges_of_the_model(tmp_path, tiny_model):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / FILE).write_text(json.dumps({"unet": {"conv_in": [-1, 1]}, "vae": {"nothing": [0, 1]}}))
    with pytest.raises(Unavailable, match="nothing"):
        open_model(settings(model))
    other = open_model(settings(model, tiny_autoencoder=str(tiny_model / "vae")))
    assert other.ranges == ModelRanges({"conv_in": (-1.0, 1.0)}, {})


def test_a_model_with_a_full_autoencoder_is_rounded_in_that_one_only(tmp_path, tiny_model, monkeypatch):
    model = with_full_autoencoder(shutil.copytree(tiny_model, tmp_path / "model"))
    told = {"unet": {"conv_in": [-1, 1]}, "vae": {"encoder.conv_in": [-1, 1]}}
    (model / FILE).write_text(json.dumps(told))
    assert open_model(settings(model, autoencoder="full")).ranges.autoencoder == {"encoder.conv_in": (-1.0, 1.0)}
    assert open_model(settings(model, tiny_autoencoder=str(tiny_model / "vae"))).ranges.autoencoder == {}
    monkeypatch.setitem(TINY, 4, str(tiny_model / "vae"))  # no hub is reached here
    assert open_model(settings(model)).ranges.autoencoder == {}
