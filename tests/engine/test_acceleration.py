"""Which backend runs a model: the one that is named, or the first that can; a refusal says what every backend says."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from structlog.testing import capture_logs

from sdstream.config.engine import Acceleration, DiffusionSettings
from sdstream.engine import acceleration
from sdstream.engine.acceleration import AUTO, BACKENDS, choose, open_networks, weights_dtype
from sdstream.engine.adapters.controlnet import ControlNets
from sdstream.engine.adapters.image_prompt.ip_adapters import IpAdapters
from sdstream.engine.adapters.lora import Loras
from sdstream.engine.eager import backend as eager
from sdstream.engine.eager.unet import ConditionedUNet
from sdstream.engine.graph import backend as graph
from sdstream.engine.models import Model, load
from sdstream.engine.networks import Job, Networks
from sdstream.errors import Unavailable
from tests.engine.pixel_engine import PixelEngine, settings
from tests.engine.tiny_model import make_tiny_model

CPU, GPU = torch.device("cpu"), torch.device("cuda")
OPENVINO = pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed: the [openvino] extra")


@dataclass(frozen=True)
class Refusing:
    """torch, under a name that has something in its way."""

    in_its_way: str | None = None
    of_the_model: str | None = None
    number_format = staticmethod(eager.number_format)
    weights_dtype = staticmethod(eager.weights_dtype)

    def obstacle(self, settings: DiffusionSettings, device: torch.device) -> str | None:
        return self.in_its_way or eager.obstacle(settings, device)

    def make(self, job: Job) -> Networks:
        if self.of_the_model:
            raise Unavailable(self.of_the_model)
        return eager.make(job)


def install(monkeypatch: pytest.MonkeyPatch, **backends: object) -> None:
    monkeypatch.setattr(acceleration, "BACKENDS", {**BACKENDS, **backends})


def job(folder: Path, name: str, **more: object) -> Job:
    chosen = settings(folder, acceleration=name, **more)
    model: Model = load(chosen, CPU, torch.float32)
    return Job(model, chosen, (64, 64), ControlNets({}, model.unet), Loras({}, {}), IpAdapters({}, model.unet), 1, None)


def test_graph_is_preferred_to_eager_and_openvino_to_both():
    assert tuple(BACKENDS) == AUTO == ("openvino", "graph", "eager")


@OPENVINO
@pytest.mark.parametrize(("device", "able"), [(CPU, ("openvino", "eager")), (GPU, ("graph", "eager"))])
def test_auto_takes_what_can_run_on_the_device(device, able):
    assert choose(DiffusionSettings(), device) == able


@pytest.mark.parametrize("name", ["eager", "graph"])
def test_a_named_backend_is_the_only_one(name: Acceleration):
    assert choose(DiffusionSettings(acceleration=name), CPU) == (name,)


@pytest.mark.parametrize(
    ("dtype", "device", "expected"),
    [
        ("auto", CPU, torch.float32),
        ("auto", GPU, torch.float16),
        ("float32", GPU, torch.float32),
        ("float16", CPU, torch.float16),
        ("bfloat16", CPU, torch.bfloat16),
    ],
)
def test_weights_are_loaded_in_the_dtype_of_the_backend_that_will_run_them(dtype, device, expected):
    assert weights_dtype(DiffusionSettings(dtype=dtype), device) == expected


def test_a_refusal_has_a_line_for_each_backend_and_ends_in_what_to_do():
    with pytest.raises(Unavailable) as caught:
        choose(DiffusionSettings(acceleration="openvino"), GPU)
    first, *reasons, last = str(caught.value).splitlines()
    assert first == "engine.acceleration: openvino cannot be used:"
    assert [reason.split(":")[0].strip() for reason in reasons] == list(BACKENDS)
    assert last == "change a setting as the lines above say, or use engine.acceleration: graph or eager"


def test_a_refusal_proposes_no_backend_that_would_refuse_too():
    with pytest.raises(Unavailable) as caught:
        choose(DiffusionSettings(dtype="int8"), GPU)
    assert str(caught.value).endswith("\nchange a setting as the lines above say")


def test_a_refusal_comes_before_the_model_is_loaded(tmp_path):
    with pytest.raises(Unavailable, match="not in int8"):
        acceleration.open_model(settings(tmp_path / "nothing", acceleration="eager", dtype="int8"))


def test_auto_logs_what_it_chose_and_why_it_passed_the_others_over(tiny_model, monkeypatch):
    install(monkeypatch, openvino=Refusing(in_its_way="it rests on Sundays"))
    with capture_logs() as logs:
        open_networks(job(tiny_model, "auto"))
    (told,) = [log for log in logs if log["event"] == "acceleration chosen"]
    assert told["acceleration"] == "eager"
    assert told["because"].startswith("openvino: it rests on Sundays; graph: gains nothing without CUDA")


def test_auto_goes_on_to_the_next_backend_where_one_refuses_the_model_and_logs_the_reason(tiny_model, monkeypatch):
    install(monkeypatch, openvino=Refusing(of_the_model="no model of this kind"))
    with capture_logs() as logs:
        networks = open_networks(job(tiny_model, "auto"))
    assert isinstance(networks.unet, ConditionedUNet)
    (told,) = [log for log in logs if log["log_level"] == "warning"]
    assert (told["refused_by"], told["reason"]) == ("openvino", "no model of this kind")


def test_a_backend_that_refuses_a_plain_model_is_no_reason_to_speak_of_loras(tiny_model, monkeypatch):
    class Rounding(Refusing):
        number_format = staticmethod(lambda model, settings: "bfloat16")

    install(monkeypatch, openvino=Rounding(of_the_model="no model of this kind"))
    with capture_logs() as logs:
        open_networks(job(tiny_model, "auto", dtype="auto"))
    assert [log for log in logs if "LoRAs" in log["event"]] == []


def test_a_named_backend_that_refuses_the_model_is_not_replaced(tiny_model, monkeypatch):
    install(monkeypatch, openvino=Refusing(of_the_model="no model of this kind"))
    with pytest.raises(Unavailable, match="no model of this kind"):
        open_networks(job(tiny_model, "openvino"))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"controlnets": {"edges": {"model": "x", "condition": "canny"}}}, "runs no ControlNets (remove 'edges'"),
        ({"ip_adapters": {"look": {"path": "x", "picture": "live"}}}, "runs no IP-Adapters (remove 'look'"),
        ({"batching": False}, "engine.batching: true"),
        ({"prompt_cache": False}, "engine.prompt_cache: true"),
        ({"dtype": "int8"}, "not in int8"),
    ],
    ids=str,
)
def test_what_a_recorded_frame_cannot_do_is_said_in_words_and_auto_takes_eager(more, reason):
    chosen = DiffusionSettings.model_validate(more)
    assert reason in (BACKENDS["graph"].obstacle(chosen, GPU) or "")
    if "dtype" not in more:
        assert choose(chosen, GPU) == ("eager",)


def test_a_model_that_cuda_cannot_record_is_refused_with_the_reason(tiny_model, monkeypatch):
    def broken(step: object, state: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(graph, "recorder", lambda device: broken)
    with pytest.raises(Unavailable, match="cannot record a frame of this model: operation not permitted"):
        open_networks(job(tiny_model, "graph"))


def test_where_every_backend_refuses_the_model_each_reason_is_told(tiny_model, monkeypatch):
    install(monkeypatch, openvino=Refusing(of_the_model="too large"), eager=Refusing(of_the_model="too small"))
    with pytest.raises(Unavailable, match=r"openvino: too large\n  graph: .*\n  eager: too small"):
        open_networks(job(tiny_model, "auto"))


@OPENVINO
def test_auto_runs_a_model_that_openvino_refuses_by_torch(tmp_path):
    folder = make_tiny_model(tmp_path / "lcm", time_cond_proj_dim=16)
    with capture_logs() as logs, PixelEngine(settings(folder, acceleration="auto")) as engine:
        assert isinstance(engine.session.unet.unet, ConditionedUNet)
    chosen = [log for log in logs if log["event"] == "acceleration chosen"]
    assert [log["acceleration"] for log in chosen] == ["openvino", "eager"]
    assert "guidance as an input" in chosen[1]["because"]
