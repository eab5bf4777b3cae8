"""`sdstream probe`: opens a source for some seconds, and prints the facts."""

from collections.abc import Mapping
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream.cli.options import Json, LogJson, Overrides, Verbose
from sdstream.cli.output import say, say_json

if TYPE_CHECKING:
    from sdstream.config.sources import AnySource

_MILLISECONDS = ("jitter", "open")


def probe(
    source: Annotated[str, typer.Argument(help="A configuration file, a URL, a file, a device, ndi:NAME or testsrc.")],
    overrides: Overrides = None,
    seconds: Annotated[float, typer.Option("--for", metavar="SECONDS", min=0.5, help="How long to watch.")] = 3.0,
    json: Json = False,
    verbose: Verbose = False,
    log_json: LogJson = False,
) -> None:
    """Open a source for some seconds: size, rate, jitter, colour, sound; exit 69 when no picture comes."""
    from sdstream import log
    from sdstream.sources import probe as prober

    log.configure("debug" if verbose else "warning", json=log_json)
    facts = prober.probe(_settings(source, overrides or []), seconds)
    if json:
        say_json(facts)
    else:
        say("\n".join(f"{name.replace('_', ' '):<18}{_shown(name, fact)}" for name, fact in facts.items()))


def _settings(source: str, overrides: list[str]) -> "AnySource":
    """Return the settings of the source named by the user."""
    from sdstream.config.load import load, loads

    if source.endswith((".yaml", ".yml")):
        return load(Path(source), overrides).source
    text = f"{{version: 1, source: {dumps(_guess(source))}, sinks: [{{kind: discard}}]}}"
    return loads(text, source, overrides).source


def _guess(source: str) -> Mapping[str, str]:
    if source == "testsrc":
        return {"kind": "testsrc"}
    if source.startswith("ndi:"):
        name = source.removeprefix("ndi:")
        # A name reads "MACHINE (Source)", so text that ends in a port is an address.
        return {"kind": "ndi", "url" if name.rpartition(":")[2].isdecimal() else "name": name}
    if source.startswith(("rtmp://", "rtmps://")):
        return {"kind": "rtmp", "url": source}
    if source.startswith("/dev/video"):
        return {"kind": "ffmpeg", "url": source, "format": "v4l2"}
    return {"kind": "ffmpeg", "url": source}


def _shown(name: str, fact: object) -> str:
    if name in _MILLISECONDS and isinstance(fact, float):
        return f"{fact * 1000:.1f} ms"
    if isinstance(fact, float):
        return f"{fact:.3f}"
    return "unknown" if fact is None else str(fact)
