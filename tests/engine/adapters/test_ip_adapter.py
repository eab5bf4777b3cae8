"""IP-Adapters against diffusers' own: the same pictures give the same U-Net outputs, row by row, at any weight."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sdstream.config.engine import DiffusionSettings, IpAdapterSettings
from sdstream.engine.acceleration import open_model
from sdstream.engine.adapters.image_prompt.ip_adapters import IpAdapters
from sdstream.engine.adapters.image_prompt.view import View
from sdstream.engine.conditioning.condition import Condition, Embedding, ImagePrompt
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.engine.models import Model
from sdstream.frame import Pixels
from tests.engine.adapters.ip_adapter_files import KINDS, SIDE, write, write_encoder
from tests.engine.pixel_engine import picture

KIND_SETS = [("base",), ("plus",), ("full",), ("base", "plus"), ("plus", "base", "base")]


@pytest.fixture(scope="module", params=["tiny_model", "tiny_xl_model"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return open_model(DiffusionSettings(model=str(folder), device="cpu"))


@pytest.fixture(scope="module")
def published(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as h94/IP-Adapter, with a picture for each adapter."""
    root = tmp_path_factory.mktemp("h94")
    write_encoder(root / "models" / "image_encoder")
    for kind, make in KINDS.items():
        write(root / "models" / f"{kind}.safetensors", make(model.unet))
    for number, size in enumerate([(48, 80), (90, 33), (SIDE, SIDE)]):
        coarse = cv2.resize(picture(number, (6, 9)), (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
        Image.fromarray(coarse).save(root / f"{number}.png")
    return root


def adapters(published: Path, kinds: tuple[str, ...], **more: object) -> dict[str, IpAdapterSettings]:
    return {
        f"{kind}{number}": IpAdapterSettings.model_validate(
            {"path": f"{published}::models/{kind}.safetensors", "picture": f"{published}/{number}.png", **more}
        )
        for number, kind in enumerate(kinds)
    }


def diffusers_pipe(folder: Path, published: Path, kinds: tuple[str, ...]) -> Any:
    """The library that defines the format, with the adapters loaded by the library's own loader."""
    from diffusers import AutoencoderTiny, LCMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    pipe = StableDiffusionPipeline(
        vae=AutoencoderTiny.from_pretrained(folder / "vae"),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder"),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        unet=UNet2DConditionModel.from_pretrained(folder / "unet"),
        scheduler=LCMScheduler(steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.load_ip_adapter(str(published), subfolder="models", weight_name=[f"{kind}.safetensors" for kind in kinds])
    return pipe


def rows_of(model: Model, images: tuple[ImagePrompt, ...], weights: list[tuple[float, ...]]) -> list[Row[Condition]]:
    prompt, negative = model.text.encode("ink"), model.text.encode("fog")
    return [
        Row(
            Condition(positive=prompt, negative=negative, images=images, image_scales=scales),
            negative=number % 2 == 1,
            scene=None,
            hint=None,
        )
        for number, scales in enumerate(weights)
    ]


@torch.inference_mode()
def by_diffusers(model: Model, pipe: Any, pictures: list[Image.Image], x: Tensor, rows: list[Row[Condition]]) -> Tensor:
    """Call diffusers' U-Net for each row: diffusers has a single weight for all rows of a call."""
    embeds = pipe.prepare_ip_adapter_image_embeds(pictures, None, "cpu", 1, True)
    outputs = []
    for sample, row in zip(x, rows, strict=True):
        pipe.set_ip_adapter_scale(list(row.condition.image_scales))
        embedding = row.condition.negative if row.negative else row.condition.positive
        added: dict[str, object] = {"image_embeds": [each[:1] if row.negative else each[1:] for each in embeds]}
        if model.wants_size:
            ids = torch.tensor([[64, 64, 0, 0, 64, 64]])
            added |= {"text_embeds": embedding.pooled.unsqueeze(0), "time_ids": ids}
        outputs.append(
            pipe.unet(
                sample.unsqueeze(0),
                torch.tensor([400]),
                encoder_hidden_states=embedding.tokens.unsqueeze(0),
                added_cond_kwargs=added,
                return_dict=False,
            )[0]
        )
    return torch.cat(outputs)


@torch.inference_mode()
@pytest.mark.parametrize("prompt_cache", [True, False])
@pytest.mark.parametrize("kinds", KIND_SETS, ids="-".join)
def test_rows_with_their_own_weights_equal_diffusers(folder, model, published, kinds, prompt_cache):
    settings = adapters(published, kinds)
    ours = IpAdapters(settings, model.unet)
    time_ids = torch.tensor([64, 64, 0, 0, 64, 64]) if model.wants_size else None
    unet = ConditionedUNet(model.unet, prompt_cache=prompt_cache, time_ids=time_ids, ip_adapters=ours)
    pipe = diffusers_pipe(folder, published, kinds)
    pictures = [Image.open(each.picture) for each in settings.values()]
    x = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    images = ours.at(0.0, picture(9), [1.0] * len(kinds))
    for shift in (0.0, 0.5):  # the second call finds keys and values in the cache, and new weights
        weights = [tuple(0.6 - 0.4 * row + 0.1 * k + shift for k in range(len(kinds))) for row in range(4)]
        rows = rows_of(model, images, weights)
        expected = by_diffusers(model, pipe, pictures, x, rows)
        torch.testing.assert_close(unet(x, torch.tensor([400] * 4), rows), expected, atol=2e-4, rtol=0)
    plain = ConditionedUNet(model.unet, time_ids=time_ids)(x, torch.tensor([400] * 4), rows)
    assert float((expected - plain).abs().max()) > 0.05


@torch.inference_mode()
def test_a_weight_of_nought_is_the_model_without_the_adapter(model, published):
    ours = IpAdapters(adapters(published, ("base", "plus")), model.unet)
    time_ids = torch.tensor([64, 64, 0, 0, 64, 64]) if model.wants_size else None
    unet = ConditionedUNet(model.unet, time_ids=time_ids, ip_adapters=ours)
    x, times = torch.randn(2, 4, 8, 8), torch.tensor([400, 20])
    rows = rows_of(model, ours.at(0.0, picture(9), (0.0, 0.0)), [(0.0, 0.0)] * 2)
    plain = ConditionedUNet(model.unet, time_ids=time_ids)
    assert torch.equal(unet(x, times, rows), plain(x, times, rows))


@torch.inference_mode()
def test_the_cache_of_pictures_stays_bounded_and_right_while_the_picture_changes(model, published):
    ours = IpAdapters(adapters(published, ("base",), picture="live", rate=60), model.unet)
    time_ids = torch.tensor([64, 64, 0, 0, 64, 64]) if model.wants_size else None
    cached, plain = (
        ConditionedUNet(model.unet, prompt_cache=cache, time_ids=time_ids, ip_adapters=ours) for cache in (True, False)
    )
    x, times = torch.randn(2, 4, 8, 8), torch.tensor([400, 20])
    outputs = []
    for second in range(12):
        rows = rows_of(model, ours.at(float(second), picture(second), (1.0,)), [(0.7,)] * 2)
        outputs.append(cached(x, times, rows).clone())
        torch.testing.assert_close(outputs[-1], plain(x, times, rows), atol=1e-5, rtol=0)
    assert float((outputs[0] - outputs[1])[0].abs().max()) > 1e-3
    assert max(len(layer._cached) for layer in cached._pictures._layers) <= 10


PIL_CONFIGS = [
    {},
    {"size": 40, "crop_size": 32},
    {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, "resample": 2},
    {"size": {"height": 32, "width": 32}, "do_center_crop": False},
    {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.5], "rescale_factor": 0.01},
]


@pytest.mark.parametrize("config", PIL_CONFIGS, ids=str)
@pytest.mark.parametrize("size", [(48, 80), (200, 75), (20, 20), (32, 32)])
def test_the_encoder_sees_a_picture_as_transformers_shows_it(tmp_path, config, size):
    import json

    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    shown = cv2.resize(picture(4, (8, 8)), (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    standard = {"size": {"shortest_edge": SIDE}, "crop_size": SIDE}
    theirs = CLIPImageProcessorPil(**(standard | config))(Image.fromarray(shown), return_tensors="pt").pixel_values
    ours = View.of(tmp_path, SIDE)(shown)
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def tokens(image: ImagePrompt) -> Tensor:
    assert isinstance(image.positive, Embedding)
    return image.positive.tokens


def test_the_camera_is_encoded_at_the_rate_of_the_settings_and_only_with_a_weight(model, published):
    ours = IpAdapters(adapters(published, ("base",), picture="live", rate=2), model.unet)
    seen = [ours.at(0.1 * tenth, picture(tenth), (1.0,)) for tenth in range(11)]
    changes = [tenth for tenth in range(1, 11) if seen[tenth] is not seen[tenth - 1]]
    assert changes == [5, 10]
    assert ours.at(9.0, picture(0), (0.0,)) is seen[-1]
    assert ours.at(9.0, picture(0), (-0.5,)) is not seen[-1]


def test_after_the_first_picture_a_frame_waits_for_one_image_encoder_at_most(model, published, tmp_path):
    other = write_encoder(tmp_path / "other", seed=8)
    both = adapters(published, ("base",), picture="live", rate=10)
    both |= {"second": both["base0"].model_copy(update={"image_encoder": str(other)})}
    ours = IpAdapters(both, model.unet)
    seen = [ours.at(now, picture(int(now)), (1.0, 1.0)) for now in (0.0, 1.0, 2.0, 3.0)]
    moved = [[a is not b for a, b in zip(old, new, strict=True)] for old, new in pairwise(seen)]
    assert sorted(moved[:2]) == [[False, True], [True, False]]
    assert moved[2] != moved[1]


def test_an_encoder_for_files_only_is_not_kept_in_memory(model, published):
    ours = IpAdapters(adapters(published, ("base", "plus")), model.unet)
    assert not ours._cameras
    assert not any(hasattr(value, "_net") for value in vars(ours).values())


def test_a_grey_or_small_picture_file_is_read_as_any_other(model, published, tmp_path):
    grey = np.full((9, 7), 200, np.uint8)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    cv2.imwrite(str(tmp_path / "colour.png"), np.repeat(grey[..., None], 3, axis=2))
    one, three = (
        IpAdapters(adapters(published, ("base",), picture=str(tmp_path / name)), model.unet)
        for name in ("grey.png", "colour.png")
    )
    nobody: Pixels = picture(0)
    assert torch.equal(tokens(one.at(0.0, nobody, (1.0,))[0]), tokens(three.at(0.0, nobody, (1.0,))[0]))
