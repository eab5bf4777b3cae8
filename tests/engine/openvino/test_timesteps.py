"""In bfloat16 every timestep stays the timestep: the bundled model against float32, at all 1000 timesteps."""

from importlib.util import find_spec

import pytest
import torch

from sdstream.config.model_names import BUNDLED
from sdstream.controls import Controls
from sdstream.engine.acceleration import open_model
from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import Row
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.engine.openvino.runtime import Runtime, computes_in
from sdstream.engine.openvino.unet import GraphUNet
from tests.engine.openvino.engine_pair import pair, scene, worst
from tests.engine.pixel_engine import ALWAYS, PixelEngine, settings

pytestmark = [
    pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed: the [openvino] extra"),
    pytest.mark.skipif(not (BUNDLED / "mini").is_dir(), reason="the bundled model is not in this checkout"),
]
BOUND = 0.02
ROWS = 4
LOOKS = ("oil", "starry", "thermal", "pencil")


@pytest.fixture(scope="module")
def errors() -> list[float]:
    """Return the relative error of bfloat16 at each of the 1000 timesteps."""
    if not computes_in("bfloat16"):
        pytest.skip("this processor does not compute in bfloat16")
    model = open_model(settings(BUNDLED / "mini", width=128, height=128))
    shape = model.latent_shape((128, 128))
    prompt = model.text.encode("oil")
    row = Row(Condition(prompt, model.text.encode("")), negative=False, scene=None, hint=None)
    exact, graph = ConditionedUNet(model.unet), GraphUNet(Runtime("bfloat16", 1), model.unet, shape, prompt)
    shares = torch.tensor(model.table.alphas_cumprod)
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(1, shape[0], 4, 4, generator=generator)
    z = torch.nn.functional.interpolate(z, shape[1:], mode="bilinear")
    found = []
    with torch.inference_mode():
        for first in range(0, len(shares), ROWS):
            times = torch.arange(first, first + ROWS)
            a, b = (share.sqrt().float().view(-1, 1, 1, 1) for share in (shares[times], 1 - shares[times]))
            x = a * z + b * torch.randn(ROWS, *shape, generator=generator)
            expected, rounded = exact(x, times, [row] * ROWS), graph(x, times, [row] * ROWS)
            found += [float(((r - e).std() / e.std()).item()) for r, e in zip(rounded, expected, strict=True)]
    return found


@pytest.mark.slow
def test_every_timestep_holds_in_bfloat16(errors):
    assert len(errors) == 1000
    assert [(t, error) for t, error in enumerate(errors) if error > BOUND] == []


@pytest.mark.slow
@pytest.mark.parametrize("steps", [(0,), (10,), (25,), (32, 45), (8, 20, 32, 44), (49,)])
def test_pictures_in_bfloat16_are_those_in_float32(steps):
    if not computes_in("bfloat16"):
        pytest.skip("this processor does not compute in bfloat16")
    exact, fast = pair(model="mini", width=128, height=128)
    frames = scene(3 + len(steps), 128)
    shows = [Controls(prompt=look, steps=steps, guidance={"mode": "none"}, **ALWAYS) for look in LOOKS]
    with PixelEngine(exact) as one, PixelEngine(fast.model_copy(update={"dtype": "bfloat16"})) as other:
        ratios = [worst([one, other], frames, [show] * len(frames)) for show in shows]
    assert min(ratios) >= 50
