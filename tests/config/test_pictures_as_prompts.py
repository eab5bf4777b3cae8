"""IP-Adapters in a configuration: what is told before any file of a model is opened."""

from pathlib import Path

import pytest

from sdstream.config.load import loads
from sdstream.config.mistakes.missing import absent
from tests.config.configuration_text import GOOD, mistakes


def show(adapter: str) -> str:
    """Return a good file with an IP-Adapter."""
    return GOOD.replace("{kind: passthrough}", f"{{ip_adapters: {{ref: {adapter}}}}}")


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        (
            "{path: a/b, picture: nowhere.png}",
            "f:3:41: engine.ip_adapters.ref.picture: should be a file that exists, not 'nowhere.png'",
        ),
        (
            '{path: "h94/IP-Adapter::models/ip-adapter_sd15.bin", picture: live}',
            "engine.ip_adapters.ref.path: should be a .safetensors file: a pickle may hold programs",
        ),
        ("{path: a/b, file: x.pt, picture: live}", "engine.ip_adapters.ref.file: should be a .safetensors file"),
        ("{path: a/b}", "engine.ip_adapters.ref.picture: is missing, and needed"),
        ("{path: a/b, picture: live, rate: 0}", "engine.ip_adapters.ref.rate: should be greater than 0"),
        ("{path: a/b, picture: live, scale: 1}", "engine.ip_adapters.ref.scale: unknown key"),
    ],
)
def test_a_mistake_in_an_ip_adapter(adapter: str, said: str):
    assert said in mistakes(show(adapter))[0]


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        ("{path: ./none.safetensors, picture: live}", "engine.ip_adapters.ref.path: no such folder or file"),
        ('{path: "./none::a.safetensors", picture: live}', "engine.ip_adapters.ref.path: no such folder or file"),
        ("{path: a/b, picture: live, image_encoder: ./none}", "engine.ip_adapters.ref.image_encoder: no such folder"),
    ],
)
def test_what_is_not_on_this_machine_is_told(adapter: str, said: str):
    assert absent(loads(show(adapter), "f", ())).startswith(said)


@pytest.mark.parametrize("path", ["a/b::c.safetensors", "::c"])
def test_a_name_that_may_be_on_the_hub_is_no_mistake(path: str):
    adapter = f'{{path: "{path}", picture: live, image_encoder: "a/b::c"}}'
    assert absent(loads(show(adapter), "f", ())) == ""


def test_a_picture_file_and_the_camera_are_told_apart(tmp_path: Path):
    (tmp_path / "live").write_bytes(b"")
    live, file = (
        loads(show(f"{{path: a/b, picture: {picture}}}"), "f", ()).engine for picture in ("live", tmp_path / "live")
    )
    assert live.ip_adapters["ref"].picture == "live"
    assert file.ip_adapters["ref"].picture == tmp_path / "live"
