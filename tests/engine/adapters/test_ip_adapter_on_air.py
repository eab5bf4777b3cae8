"""IP-Adapters in a running engine: each frame in flight keeps picture and weight; what cannot be is refused by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from structlog.testing import capture_logs
from torch import Tensor

from sdstream.cli.models import _load
from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine.adapters.image_prompt.check import refusal
from sdstream.errors import Unavailable
from tests.engine.adapters.ip_adapter_files import base, full, plus, write, write_encoder
from tests.engine.pixel_engine import ALWAYS, PixelEngine, assert_each_alike, feed, picture, settings


@pytest.fixture(scope="module")
def unet(tiny_model: Path) -> torch.nn.Module:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel.from_pretrained(tiny_model / "unet")


@pytest.fixture
def published(unet: torch.nn.Module, tmp_path: Path) -> Path:
    """A folder with an adapter of each kind, an encoder and a picture."""
    import cv2

    write_encoder(tmp_path / "image_encoder")
    for name, make in (("base", base), ("plus", plus), ("full", full)):
        write(tmp_path / f"{name}.safetensors", make(unet))
    cv2.imwrite(str(tmp_path / "ref.png"), picture(7))
    return tmp_path


def adapter(published: Path, name: str = "base", **more: object) -> dict[str, object]:
    return {"path": str(published / f"{name}.safetensors"), "picture": str(published / "ref.png"), **more}


SHOWS = [{"ref": 0.9}, {"ref": 0.2}, {"ref": 0.0, "cam": 0.7}, {"ref": -0.4}, {}]


@pytest.mark.parametrize("prompt_cache", [True, False])
@pytest.mark.parametrize("mode", ["none", "full", "self_negative", "onetime_negative"])
def test_a_frame_in_flight_keeps_its_own_weight_and_picture(tiny_model, published, clock, mode, prompt_cache):
    both = {"ref": adapter(published, "plus"), "cam": adapter(published, picture="live", rate=60)}
    chosen = settings(tiny_model, ip_adapters=both, prompt_cache=prompt_cache)
    guided = {"mode": mode, "scale": 1.6}
    shows = [Controls(steps=(10, 25, 40), ip_adapters=each, guidance=guided, **ALWAYS) for each in SHOWS]

    def play(batching: bool) -> list[np.ndarray]:
        found = []
        with PixelEngine(chosen.model_copy(update={"batching": batching}), clock) as engine:
            for number, controls in enumerate(shows):
                clock.now = float(number)
                found.append(engine(picture(number), controls))
            return [*found[2 if batching else 0 :], *engine.flush()]

    batched, alone = play(batching=True), play(batching=False)
    assert_each_alike(batched, alone)
    assert len({pixels.tobytes() for pixels in alone}) == len(SHOWS)


@pytest.mark.parametrize("name", ["base", "plus", "full"])
def test_the_weight_turns_a_picture_from_nothing_to_much_on_air(tiny_model, published, name):
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published, name)})
    with PixelEngine(settings(tiny_model)) as engine:
        plain = engine(picture(0), Controls(steps=(10,), **ALWAYS))
    with PixelEngine(chosen) as engine:
        off, low, high, standard = (
            engine(picture(0), Controls(steps=(10,), ip_adapters=each, **ALWAYS)).astype(int).copy()
            for each in ({"ref": 0.0}, {"ref": 0.2}, {"ref": 1.0}, {})
        )
    assert np.array_equal(off, plain)
    assert 0 < np.abs(low - plain).sum() < np.abs(high - plain).sum()
    assert np.array_equal(standard, high)


def test_a_still_picture_is_rendered_anew_after_a_change_of_weight_and_a_live_picture_still_skips(
    tiny_model, published, clock
):
    chosen = settings(tiny_model, ip_adapters={"cam": adapter(published, picture="live", rate=60)})
    alike = {"mode": "threshold", "threshold": 0.9}
    with PixelEngine(chosen, clock) as engine:
        outcomes = []
        for number, weight in enumerate([1.0, 1.0, 1.0, 0.5]):
            clock.now = float(number)
            engine(picture(0), Controls(steps=(30,), ip_adapters={"cam": weight}, similarity=alike))
            outcomes.append(engine.outcome.value)
    assert outcomes == ["rendered", "skipped", "skipped", "rendered"]


def test_an_encoder_too_slow_for_air_is_refused_and_a_picture_file_is_not(tiny_model, published):
    import itertools

    slow = itertools.count(0.0, 12.0).__next__
    live, still = (settings(tiny_model, ip_adapters={"cam": adapter(published, picture=p)})
                   for p in ("live", str(published / "ref.png")))  # fmt: skip
    with pytest.raises(Unavailable, match=r"takes 12.0 s.*engine.deadline is 10 s"), PixelEngine(live, slow):
        pass
    with PixelEngine(still, slow) as engine, capture_logs() as logs:
        assert engine(picture(0), Controls(steps=(30,))) is not None
    assert not [log for log in logs if log["event"] == "camera as a prompt"]


def test_cross_frame_attention_goes_together_with_pictures(tiny_model, published):
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published)})
    together = Controls(steps=(20, 40), cross_frame_attention=True, **ALWAYS)
    with PixelEngine(chosen) as engine:
        found = feed(engine, [picture(k) for k in range(3)], together)
    assert found[-1] is not None
    assert found[-1].std() > 0


def test_a_weight_of_an_adapter_that_is_not_loaded_is_refused_by_name(tiny_model, published):
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published)})
    with PixelEngine(chosen) as engine, pytest.raises(Unavailable, match=r"'style'.*engine.ip_adapters has: ref"):
        engine(picture(0), Controls(ip_adapters={"style": 1.0}))


def test_openvino_refuses_and_auto_takes_eager_and_says_so(tiny_model, published):
    pytest.importorskip("openvino")
    both = {"ip_adapters": {"ref": adapter(published)}}
    with pytest.raises(Unavailable, match=r"runs no IP-Adapters \(remove 'ref' from engine.ip_adapters\)"):
        PixelEngine(settings(tiny_model, acceleration="openvino", **both)).__enter__()
    with capture_logs() as logs, PixelEngine(settings(tiny_model, acceleration="auto", **both)):
        pass
    (told,) = [log for log in logs if log["event"] == "acceleration chosen"]
    assert told["acceleration"] == "eager"
    assert "runs no IP-Adapters" in told["because"]


def without(state: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in state.items() if key not in names}


FACE_ID = {"image_proj.proj.0.weight", "image_proj.proj.0.bias", "image_proj.proj.2.weight", "image_proj.norm.weight"}
LORA = "ip_adapter.0.to_q_lora.down.weight"
FIRST = "ip_adapter.1.to_k_ip.weight"
LAST = "ip_adapter.7.to_{}_ip.weight"
DAMAGES = {
    "FaceID": lambda s: {k: v for k, v in s.items() if "ip_adapter" in k} | {k: torch.ones(4, 4) for k in FACE_ID},
    "IP-Adapter FaceID": lambda s: s | {LORA: torch.ones(4, 4)},
    "an IP-Adapter FaceID": lambda s: s | {"image_proj.perceiver_resampler.proj_in.weight": torch.ones(4, 4)},
    "no IP-Adapter": lambda s: {k: v for k, v in s.items() if "image_proj" not in k},
    "has the tensor extra.weight": lambda s: s | {"extra.weight": torch.ones(2)},
    "no matrix of an IP-Adapter": lambda s: s | {"ip_adapter.1.to_q_ip.weight": torch.ones(2, 2)},
    "expected ip_adapter.1": lambda s: without(s, FIRST),
    "different U-Net": lambda s: without(s, *(LAST.format(m) for m in "kv")),
    "different base model": lambda s: {k: v.repeat(1, 2) if "ip_adapter" in k else v for k, v in s.items()},
    "cannot be loaded": lambda s: without(s, "image_proj.norm.bias"),
    "NaN": lambda s: s | {FIRST: s[FIRST] * float("nan")},
    "floating-point": lambda s: s | {FIRST: s[FIRST].to(torch.int8)},
    "image_proj": lambda s: s | {"image_proj.proj.weight": torch.ones(3)},
    "of one shape": lambda s: s | {FIRST: s[FIRST][:-1]},
    "different sizes": lambda s: s | {f"ip_adapter.1.to_{m}_ip.weight": torch.ones(len(s[FIRST]), 8) for m in "kv"},
    "has no place": lambda s: s | {"image_proj.image_embeds.bias": torch.ones(128)},
}


@pytest.mark.parametrize("why", DAMAGES)
def test_a_file_that_is_no_fitting_adapter_is_refused_by_name_before_air(tiny_model, published, unet, why):
    file = write(published / "odd.safetensors", DAMAGES[why](base(unet)))
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published, "odd")})
    with pytest.raises(Unavailable) as caught, PixelEngine(chosen):
        pass
    assert why in str(caught.value)
    assert str(file) in str(caught.value)
    assert "'ref'" in str(caught.value)


def test_a_full_file_with_a_second_name_for_a_weight_is_refused(tiny_model, published, unet):
    state = plus(unet)
    state["image_proj.layers.0.ln0.weight"] = torch.ones(20)
    write(published / "odd.safetensors", state)
    with pytest.raises(Unavailable, match="has no place"):
        PixelEngine(settings(tiny_model, ip_adapters={"ref": adapter(published, "odd")})).__enter__()


def test_a_pickle_is_refused_and_never_opened(tiny_model, published):
    (published / "ip-adapter_sd15.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    chosen = settings(
        tiny_model, ip_adapters={"ref": adapter(published) | {"path": f"{published}/ip-adapter_sd15.bin"}}
    )
    with pytest.raises(Unavailable, match=r"is a pickle.*expected a .safetensors file"), PixelEngine(chosen):
        pass


def test_an_adapter_for_another_base_names_both_bases(tiny_model, published):
    from diffusers import UNet2DConditionModel

    shape = dict(UNet2DConditionModel.from_pretrained(tiny_model / "unet").config)
    write(published / "xl.safetensors", base(UNet2DConditionModel.from_config(shape | {"cross_attention_dim": 2048})))
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published, "xl")})
    with pytest.raises(Unavailable, match="is for Stable Diffusion XL, and this model is a model with prompts of 32"):
        PixelEngine(chosen).__enter__()
    assert "is for Stable Diffusion XL" in refusal(chosen)


@pytest.mark.parametrize("name", ["base", "plus"])
def test_an_image_encoder_of_another_size_is_refused_with_both_sizes(tiny_model, published, name):
    other = write_encoder(published / "other", projection=40, hidden=32)
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published, name, image_encoder=str(other))})
    with pytest.raises(Unavailable, match=r"engine.ip_adapters.ref.image_encoder") as caught:
        PixelEngine(chosen).__enter__()
    assert ("24 numbers" if name == "base" else "16 numbers") in str(caught.value)
    assert refusal(chosen) == str(caught.value)


def test_a_missing_image_encoder_names_the_setting(tiny_model, published):
    shutil.rmtree(published / "image_encoder")
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published)})
    with pytest.raises(Unavailable, match=r"set engine.ip_adapters.ref.image_encoder"), PixelEngine(chosen):
        pass
    assert "engine.ip_adapters.ref.image_encoder" in refusal(chosen)


def test_an_encoder_that_is_no_clip_is_refused_by_its_kind(tiny_model, published):
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published, image_encoder=f"{tiny_model}::text_encoder")})
    with pytest.raises(Unavailable, match="clip_text_model: expected a CLIP image encoder"), PixelEngine(chosen):
        pass


def test_a_folder_in_a_folder_is_named_by_two_colons(tiny_model, published):
    shutil.move(published / "image_encoder", published / "models" / "vit")
    found = adapter(published, image_encoder=f"{published}::models/vit")
    assert refusal(settings(tiny_model, ip_adapters={"ref": found})) == ""
    with PixelEngine(settings(tiny_model, ip_adapters={"ref": found})) as engine:
        assert engine(picture(0), Controls(steps=(30,))) is not None


def test_a_picture_that_is_no_picture_is_refused_by_name(tiny_model, published):
    (published / "ref.png").write_text("nothing")
    chosen = settings(tiny_model, ip_adapters={"ref": adapter(published)})
    with pytest.raises(Unavailable, match=r"engine.ip_adapters.ref.picture: cannot read"), PixelEngine(chosen):
        pass


@pytest.mark.parametrize("name", ["base", "plus", "full"])
def test_verify_says_what_an_adapter_is_and_check_has_nothing_to_say(tiny_model, published, name):
    told = _load(str(published / f"{name}.safetensors"))
    assert f"an IP-Adapter ({name})" in told
    assert refusal(settings(tiny_model, ip_adapters={"ref": adapter(published, name)})) == ""


@pytest.mark.parametrize("why", ["FaceID", "expected ip_adapter.1", "cannot be loaded"])
def test_verify_calls_no_broken_adapter_whole(published, unet, why):
    file = write(published / "odd.safetensors", DAMAGES[why](base(unet)))
    with pytest.raises(Unavailable, match=why):
        _load(str(file))


@pytest.mark.parametrize("model", ["mini", "no/such-model"])
def test_check_reads_headers_only_and_fetches_nothing(published, model, monkeypatch):
    monkeypatch.setattr("sdstream.engine.weights.single_file.from_hub", lambda *_: pytest.fail("asked the hub"))
    monkeypatch.setattr("sdstream.engine.adapters.image_prompt.encoder_folder.from_hub", lambda *_: pytest.fail("hub"))
    hub = {"path": "h94/IP-Adapter::models/ip-adapter_sd15.safetensors", "picture": "live"}
    assert refusal(DiffusionSettings(model=model, ip_adapters={"a": hub})) == ""


def test_the_encoder_beside_a_file_of_a_repository_is_fetched_and_nothing_else(tiny_model, published, monkeypatch):
    snapshot = published / "hub" / "snapshots" / "0"
    shutil.copytree(published / "image_encoder", snapshot / "models" / "unfetched")
    shutil.copy(published / "base.safetensors", snapshot / "models" / "ip.safetensors")
    asked: list[str] = []

    def from_hub(name: str, what: str, wanted: list[str]) -> Path:
        assert name == "someone/ip"
        asked.extend(wanted)
        if what == "image encoder":
            (snapshot / "models" / "unfetched").rename(snapshot / "models" / "image_encoder")
        return snapshot

    monkeypatch.setattr("sdstream.engine.weights.single_file.from_hub", from_hub)
    monkeypatch.setattr("sdstream.engine.weights.single_file._published", lambda _: ["models/ip.safetensors", "x.bin"])
    monkeypatch.setattr("sdstream.engine.adapters.image_prompt.encoder_folder.from_hub", from_hub)
    found = adapter(published) | {"path": "someone/ip::models/ip.safetensors"}
    with PixelEngine(settings(tiny_model, ip_adapters={"ref": found})):
        pass
    assert asked[0] == "models/ip.safetensors"
    assert asked[-2:] == ["models/image_encoder/*.json", "models/image_encoder/*.safetensors"]
