"""The loading of a model is heard phase by phase, and costs nothing when nobody listens."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from sdstream.config.engine import DiffusionSettings
from sdstream.engine.diffusion import DiffusionEngine
from sdstream.ipc import progress
from sdstream.ipc.loading import Phase

Heard = list[tuple[Phase, int, int]]


def load(model: Path, acceleration: str, cache: Path | None = None) -> Heard:
    settings = DiffusionSettings.model_validate(
        {"model": str(model), "width": 64, "height": 64, "device": "cpu", "acceleration": acceleration}
    )
    heard: Heard = []
    with progress.heard_by(lambda *now: heard.append(now)), DiffusionEngine(settings, cache=cache):
        pass
    return heard


def test_torch_loads_weights_and_makes_a_first_picture(tiny_model: Path):
    assert load(tiny_model, "eager") == [(Phase.WEIGHTS, 0, 0), (Phase.FIRST_PICTURE, 0, 0)]


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed: the [openvino] extra")
def test_openvino_counts_its_networks_at_the_first_start_and_at_later_starts(tiny_model: Path, tmp_path: Path):
    steps = [(Phase.COMPILING, step, 6) for step in range(7)]
    wanted = [(Phase.WEIGHTS, 0, 0), *steps, (Phase.FIRST_PICTURE, 0, 0)]
    assert [load(tiny_model, "openvino", tmp_path) for _ in range(2)] == [wanted, wanted]


def test_more_steps_than_announced_are_not_heard():
    heard: Heard = []
    with progress.heard_by(lambda *now: heard.append(now)):
        progress.begin(Phase.COMPILING, 1)
        progress.step()
        progress.step()
    progress.step()
    assert heard == [(Phase.COMPILING, 0, 1), (Phase.COMPILING, 1, 1)]


def test_fetching_is_heard_between_the_steps_of_a_phase_and_from_any_thread():
    heard: Heard = []
    with progress.heard_by(lambda *now: heard.append(now)):
        progress.begin(Phase.WEIGHTS)
        with progress.between(Phase.FETCHING) as tell, ThreadPoolExecutor(1) as threads:
            threads.submit(tell, 3, 5).result()
        with progress.between(Phase.FETCHING):
            pass
    assert heard == [(Phase.WEIGHTS, 0, 0), (Phase.FETCHING, 3, 5), (Phase.WEIGHTS, 0, 0)]


def test_fetching_without_a_listener_is_silent():
    with progress.between(Phase.FETCHING) as tell:
        tell(1, 2)
