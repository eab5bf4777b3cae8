"""What the page of the control server tells of the show besides the numbers: model, names, addresses to type."""

import json
from typing import Any

from sdstream.config.engine import DiffusionSettings
from sdstream.config.printing.obs import from_sink, to_source
from sdstream.config.sinks import PreviewSinkSettings
from sdstream.supervisor.wiring import SinkParts, Wiring


def describe(wiring: Wiring) -> dict[str, Any]:
    """Return the parts of the running configuration as JSON, without secrets."""
    engine = wiring.config.engine
    diffusion = engine if isinstance(engine, DiffusionSettings) else None
    return {
        "source": {"kind": wiring.config.source.kind, "type": to_source(wiring.config.source)},
        "engine": {
            "kind": engine.kind,
            "model": diffusion.model if diffusion else "",
            "restyles": diffusion is not None,
            "loras": [name for name, lora in diffusion.loras.items() if not lora.fuse] if diffusion else [],
            "controlnets": list(diffusion.controlnets) if diffusion else [],
        },
        "sinks": {parts.name: from_sink(parts.settings, _port(parts)) for parts in wiring.sinks},
    }


def preview_address(wiring: Wiring) -> str:
    """Return where the pictures of the first preview are to be had on this machine, as JSON with the key; empty
    without a preview. For the control server's process alone."""
    for parts in wiring.sinks:
        if isinstance(parts.settings, PreviewSinkSettings) and (port := _port(parts)):
            host = parts.settings.listen.rpartition(":")[0].strip("[]")
            here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, nothing listens
            key = parts.settings.key.get_secret_value() if parts.settings.key else ""
            return json.dumps({"sink": parts.name, "host": here, "port": port, "root": f"/{key}/" if key else "/"})
    return ""


def _port(parts: SinkParts) -> int:
    """Return the port that the sink listens at; 0 before, and for a sink without a port."""
    return parts.stage.context.counters.count("port")
