"""Says before a run why an IP-Adapter would be refused: headers and configs on this machine are read, nothing more."""

from pathlib import Path

from sdstream.config.engine import DiffusionSettings, IpAdapterSettings
from sdstream.config.mistakes.existing_file import exists, expanded
from sdstream.config.model_names import BUNDLED
from sdstream.engine.adapters.image_prompt.encoder_folder import locate_encoder
from sdstream.engine.adapters.image_prompt.header import read_layout, refuse_other_base, refuse_other_encoder
from sdstream.engine.weights.files import check_safetensors, read_config
from sdstream.engine.weights.single_file import locate_file, split_name
from sdstream.errors import Unavailable

_PROMPT = ".attn2.to_k.weight"
"""End of the name of a layer that reads prompts."""


def refusal(settings: DiffusionSettings) -> str:
    """Return why a run would refuse an IP-Adapter, or ""; files that have to be fetched first are left out."""
    try:
        width = _width(settings.model) if settings.ip_adapters else None
        for name, adapter in settings.ip_adapters.items():
            if exists(expanded(split_name(adapter.path, adapter.file)[0])):
                _check(name, adapter, width)
    except Unavailable as error:
        return str(error)
    return ""


def _check(name: str, adapter: IpAdapterSettings, width: int | None) -> None:
    setting = f"engine.ip_adapters.{name}"
    file = locate_file(adapter.path, adapter.file, f"IP-Adapter {name!r}", setting)
    where = f"IP-Adapter {name!r}: {file}"
    layout = read_layout(check_safetensors(file), where)
    if width is not None:
        refuse_other_base(layout, width, where)
    if adapter.image_encoder is None or exists(expanded(adapter.image_encoder.partition("::")[0])):
        refuse_other_encoder(layout, locate_encoder(adapter, file, setting, fetch=False), where, setting)


def _width(model: str) -> int | None:
    """Return the size of a prompt's tokens of the model; None for a model that is not on this machine."""
    path = expanded(model)
    path = path if exists(path) else BUNDLED / model
    if path.is_file() and path.suffix == ".safetensors":
        shapes = check_safetensors(path).shapes
        return next((shape[-1] for key, shape in shapes.items() if key.endswith(_PROMPT) and shape), None)
    config: Path = path / "unet" / "config.json"
    width = read_config(config, "U-Net").get("cross_attention_dim") if config.is_file() else None
    return width if isinstance(width, int) else None
