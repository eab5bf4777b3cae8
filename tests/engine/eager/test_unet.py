"""Stream Batch through a real (tiny, random) diffusers U-Net: prompts, caches and cross-frame attention together."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sdstream.config.engine import DiffusionSettings
from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.noise import NoiseCache
from sdstream.engine.denoising.stream_batch import Recipe, Row, StreamBatch
from sdstream.engine.eager.unet import ConditionedUNet, embed_scales
from sdstream.engine.models import Model
from sdstream.engine.recipes import Recipes
from sdstream.errors import Unavailable
from tests.engine.denoising.reference import flush, push, skip
from tests.engine.pixel_engine import PixelEngine, settings
from tests.engine.tiny_model import make_tiny_model

SHAPE = (4, 8, 8)
MODES = ("none", "full", "self_negative", "onetime_negative")
STEPS = {1: (30,), 2: (32, 45), 4: (10, 20, 30, 40)}


@pytest.fixture(scope="module", params=["tiny_model", "tiny_v_model", "tiny_xl_model"])
def model(request) -> Model:
    return open_model(DiffusionSettings(model=str(request.getfixturevalue(request.param)), device="cpu"))


@pytest.fixture(scope="module")
def plain_model(tiny_model) -> Model:
    return open_model(DiffusionSettings(model=str(tiny_model), device="cpu"))


def unet_of(model: Model, *, prompt_cache: bool = True) -> ConditionedUNet:
    time_ids = torch.tensor([64, 64, 0, 0, 64, 64]) if model.wants_size else None
    return ConditionedUNet(model.unet, prompt_cache=prompt_cache, time_ids=time_ids)


def recipe_maker(model: Model) -> Callable[..., Recipe[Condition]]:
    recipes = Recipes(model.table, model.text, NoiseCache(SHAPE))
    return lambda **controls: recipes.at(0.0, Controls.model_validate(controls))[0]


def latents(count: int) -> Tensor:
    return torch.randn(count, 1, *SHAPE, generator=torch.Generator().manual_seed(3))


def run(unet: ConditionedUNet, recipes: list[Recipe[Condition]], *, batching: bool = True) -> Tensor:
    batch = StreamBatch(unet, torch.zeros(SHAPE), stages=len(recipes[0].sampling.schedule), batching=batching)
    z = latents(len(recipes))
    outputs = [output for k, recipe in enumerate(recipes) if (output := push(batch, z[k], recipe)) is not None]
    return torch.cat(outputs + flush(batch))


@torch.inference_mode()
@pytest.mark.parametrize("n", STEPS)
@pytest.mark.parametrize("mode", MODES)
def test_batched_equals_sequential_while_prompts_seeds_and_guidance_change(model, mode, n):
    make = recipe_maker(model)
    guided = {"mode": mode, "scale": 1.8, "delta": 0.7}
    changes = [
        {"prompt": "oil painting", "guidance": guided},
        {"prompt": "a (night:1.4) sky", "guidance": guided},
        {"prompt": "a (night:1.4) sky", "negative_prompt": "day", "guidance": guided, "seed": 9},
        {"prompt": [{"text": "ink"}, {"text": "oil"}], "negative_prompt": "day"},
        {"prompt": "ink", "guidance": guided, "renoise": False},
    ]
    recipes = [make(steps=STEPS[n], **changes[k % 5]) for k in range(7)]
    together, alone = run(unet_of(model), recipes), run(unet_of(model), recipes, batching=False)
    torch.testing.assert_close(together, alone, atol=2e-4, rtol=2e-4)
    assert float((alone[0] - alone[1]).abs().max()) > 1e-3


@torch.inference_mode()
@pytest.mark.parametrize("mode", MODES)
def test_the_prompt_cache_changes_nothing(model, mode):
    make = recipe_maker(model)
    controls = {"steps": (10, 30, 40), "guidance": {"mode": mode, "scale": 1.5}}
    recipes = [make(prompt=prompt, negative_prompt="day", **controls) for prompt in ("a", "a", "b", "c", "c", "a")]
    kept, fresh = run(unet_of(model), recipes), run(unet_of(model, prompt_cache=False), recipes)
    torch.testing.assert_close(kept, fresh, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_steady_prompt_is_projected_once(plain_model):
    unet = unet_of(plain_model)
    projected: list[str] = []
    hooks = [
        module.register_forward_hook(lambda *_, name=name: projected.append(name))
        for name, module in unet.module.named_modules()
        if name.endswith("attn2.to_k")
    ]
    make = recipe_maker(plain_model)
    run(unet, [make(prompt="a", steps=(10, 30))] * 6)
    first = len(projected)
    run(unet, [make(prompt="b", steps=(10, 30))] * 6)
    for hook in hooks:
        hook.remove()
    assert first == len(set(projected)) > 1
    assert len(projected) == 2 * first


@torch.inference_mode()
@pytest.mark.parametrize("mode", ["full", "onetime_negative"])
@pytest.mark.parametrize("prompt", ["oil", [{"text": "oil"}, {"text": "day", "weight": 0.5}]])
def test_prompt_seed_and_negative_prompt_matter(plain_model, mode, prompt):
    make = recipe_maker(plain_model)
    base = {"prompt": prompt, "steps": (10, 30), "guidance": {"mode": mode, "scale": 3}}
    changes = [{}, {"prompt": "ink"}, {"seed": 3}, {"negative_prompt": "night"}, {"prompt": "(oil:1.5)"}]
    pictures = [run(unet_of(plain_model), [make(**(base | change))]) for change in changes]
    assert all(float((pictures[0] - other).abs().max()) > 1e-3 for other in pictures[1:])


@torch.inference_mode()
def test_cross_frame_attention_is_a_no_op_for_one_step_and_not_for_more(plain_model):
    make = recipe_maker(plain_model)
    results = {}
    for n in (1, 4):
        results[n] = [
            run(unet_of(plain_model), [make(steps=STEPS[n], cross_frame_attention=on)] * 6) for on in (False, True)
        ]
    assert torch.equal(*results[1])
    assert float((results[4][0] - results[4][1]).abs().max()) > 1e-4


@torch.inference_mode()
@pytest.mark.parametrize(
    "scenes", [(0, 0, None, None), (1, 0, 0, None), (2, 1, 1, 0), (None, 0, 0, 0), (0, None, 0, 0), (1, 0, 1, 0)]
)
def test_rows_look_at_the_rows_of_their_scene_as_if_no_others_were_there(plain_model, scenes):
    unet = unet_of(plain_model)
    condition = recipe_maker(plain_model)().condition
    rows = [Row(condition, negative=scene is None, scene=scene, hint=None) for scene in scenes]
    x, times = torch.cat(list(latents(4))), torch.tensor([100, 300, 500, 700])
    together = unet(x, times, rows)
    for row, scene in enumerate(scenes):
        seen = [row] if scene is None else [other for other in range(4) if scenes[other] == scene]
        alone = unet(x[seen], times[seen], [rows[other] for other in seen])[seen.index(row)]
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-5)
        blind = unet(x[[row]], times[[row]], [rows[row]])[0]
        assert (len(seen) == 1) == torch.allclose(together[row], blind, atol=1e-5, rtol=1e-5)


class Recorder:
    """A U-Net that notes which rows may look at each other."""

    def __init__(self) -> None:
        self.scenes: list[list[int | None]] = []

    def __call__(self, x: Tensor, timesteps: Tensor, rows: list[Row[Condition]]) -> Tensor:
        self.scenes.append([row.scene for row in rows])
        return x


def test_a_cut_a_skip_a_reset_and_guidance_rows_stay_apart(plain_model):
    recipe = recipe_maker(plain_model)(
        steps=(10, 20, 30), cross_frame_attention=True, guidance={"mode": "full", "scale": 2}
    )
    recorder = Recorder()
    batch = StreamBatch(recorder, torch.zeros(SHAPE), stages=3)
    z = latents(1)[0]
    push(batch, z, recipe)
    push(batch, z, recipe)
    push(batch, z, recipe, cut=True)
    skip(batch)
    push(batch, z, recipe)
    batch.reset()
    push(batch, z, recipe)
    assert recorder.scenes == [
        [0, None],
        [0, 0, None, None],
        [1, 0, 0, None, None, None],
        [1, 0, None, None],
        [2, 1, None, None],
        [3, None],
    ]


@torch.inference_mode()
def test_frames_that_entered_before_the_switch_do_not_take_part(plain_model):
    make = recipe_maker(plain_model)
    recorder = Recorder()
    batch = StreamBatch(recorder, torch.zeros(SHAPE), stages=2)
    push(batch, latents(1)[0], make(cross_frame_attention=False))
    push(batch, latents(1)[0], make(cross_frame_attention=True))
    assert recorder.scenes[-1] == [0, None]


@pytest.fixture(scope="module")
def lcm_model(tmp_path_factory) -> Model:
    folder = make_tiny_model(tmp_path_factory.mktemp("models") / "lcm", time_cond_proj_dim=16)
    return open_model(DiffusionSettings(model=str(folder), device="cpu"))


@pytest.mark.parametrize("size", [16, 17, 256])
def test_guidance_scales_are_embedded_as_lcm_was_trained(size):
    from diffusers import LatentConsistencyModelPipeline

    scales = torch.tensor([1.0, 4.0, 8.5])
    expected = LatentConsistencyModelPipeline.get_guidance_scale_embedding(None, scales - 1, embedding_dim=size)
    torch.testing.assert_close(embed_scales(scales, size), expected)


@torch.inference_mode()
@pytest.mark.parametrize("mode", ["none", "full"])
def test_a_model_that_takes_guidance_as_an_input_is_told_it_frame_by_frame(lcm_model, mode):
    make = recipe_maker(lcm_model)
    recipes = [
        make(steps=(10, 20, 30), guidance={"mode": mode, "scale": 1.8, "distilled": scale}) for scale in (8.5, 2, 2, 15)
    ]
    together, alone = run(unet_of(lcm_model), recipes), run(unet_of(lcm_model), recipes, batching=False)
    torch.testing.assert_close(together, alone, atol=2e-4, rtol=2e-4)
    others = run(unet_of(lcm_model), [recipes[0]] * 4, batching=False)
    assert float((alone[0] - others[0]).abs().max()) == 0
    assert float((alone[1:] - others[1:]).abs().amax((1, 2, 3)).min()) > 1e-3


@torch.inference_mode()
def test_other_models_are_not_told(plain_model):
    make = recipe_maker(plain_model)
    runs = [run(unet_of(plain_model), [make(steps=(30,), guidance={"distilled": scale})]) for scale in (2, 8.5)]
    assert torch.equal(*runs)


def test_openvino_refuses_a_model_that_takes_guidance_as_an_input(tmp_path):
    pytest.importorskip("openvino")
    folder = make_tiny_model(tmp_path / "lcm", time_cond_proj_dim=16)
    chosen = settings(folder, acceleration="openvino")
    with pytest.raises(Unavailable, match="guidance as an input"), PixelEngine(chosen):
        pass
