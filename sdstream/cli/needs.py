"""What a run of a configuration will need, from the settings alone: nothing is opened, and no library is loaded."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdstream.config.engine import AnyEngine, DiffusionSettings
from sdstream.config.outputs import EncodingSink
from sdstream.config.printing.obs import obs_settings
from sdstream.config.schema import Config
from sdstream.config.sinks import (
    AnySink,
    NdiSinkSettings,
    PreviewSinkSettings,
    ServeSinkSettings,
    VirtualcamSinkSettings,
)
from sdstream.config.sources import (
    AnySource,
    FfmpegSourceSettings,
    NdiSourceSettings,
    RtmpSourceSettings,
    SrtSourceSettings,
)
from sdstream.redact import mask_url, shown
from sdstream.system import installation


@dataclass(frozen=True)
class Need:
    """What a part of the run needs from outside."""

    part: str
    """The place in the configuration, such as `sinks.0`."""
    kind: str
    needs: str
    """For people; empty when the part needs nothing."""
    install: str = ""
    """The line to type for a library that is not installed; empty when all are installed."""
    optional: bool = False
    """Whether the run goes on without this part."""


def needs(config: Config) -> Iterator[Need]:
    """Return what each part of the run needs, in the order of the flow."""
    yield Need("source", config.source.kind, _source(config.source), _install(config.source.kind))
    yield Need("engine", config.engine.kind, _engine(config.engine), _engine_install(config.engine))
    for index, sink in enumerate(config.sinks):
        yield Need(f"sinks.{index}", sink.kind, _sink(sink), _install(sink.kind), sink.optional)
    if config.control is not None:
        where = f"the port {config.control.listen}; sdstream ctl --at {config.control.listen} state"
        yield Need("control", "server", where, _install("control"))


def _source(source: AnySource) -> str:
    if isinstance(source, RtmpSourceSettings) and source.listen:
        return f"a publisher such as OBS: {obs_settings(source)}"
    if isinstance(source, RtmpSourceSettings) and source.url:
        return f"the server {_url(source.url.get_secret_value())}"
    if isinstance(source, SrtSourceSettings):
        waits = f"an SRT sender such as OBS: srt://{source.listen}"
        return f"the ffmpeg program, and {waits if source.listen else f'the SRT sender {source.place}'}"
    if isinstance(source, NdiSourceSettings):
        return f"the NDI sender {source.name or source.url}"
    if isinstance(source, FfmpegSourceSettings):
        url = source.url.get_secret_value()
        if source.format is not None:
            return f"{url} ({source.format})"
        return f"the server {_url(url)}" if re.match(r"\w{2,}:", url) else f"the file {url}"
    return ""


def _engine(engine: AnyEngine) -> str:
    if not isinstance(engine, DiffusionSettings):
        return ""
    from sdstream.config.model_names import BUNDLED

    if (BUNDLED / engine.model).is_dir():
        return f"the model {engine.model} (bundled)"
    if Path(engine.model).expanduser().exists():
        return f"the model {engine.model}"
    return f"the model {engine.model}, fetched at the first start, or now: sdstream models pull {engine.model}"


def _engine_install(engine: AnyEngine) -> str:
    if not isinstance(engine, DiffusionSettings):
        return ""
    extra = "openvino" if engine.acceleration == "openvino" else "diffusion"
    return _install("diffusion") or _install(extra)


def _sink(sink: AnySink) -> str:
    if isinstance(sink, VirtualcamSinkSettings):
        return f'the virtual camera "{sink.device}"' if sink.device else "a free virtual camera"
    if isinstance(sink, NdiSinkSettings):
        return f"the NDI runtime; receivers see {sink.name}"
    if isinstance(sink, PreviewSinkSettings):
        return f"the port {sink.listen}; browse http://{sink.listen}/{'' if sink.key is None else 'KEY/'}"
    if isinstance(sink, ServeSinkSettings):
        return f"the port {sink.listen}; in OBS http://{sink.listen}/{'' if sink.key is None else 'KEY/'}show.ts"
    if isinstance(sink, EncodingSink):
        url = sink.in_full().url.get_secret_value()
        return f"the server {_url(url)}" if re.match(r"\w{2,}:", url) else f"a new file {url}"
    return ""


def _install(kind_or_extra: str) -> str:
    """Return the line to type for the extra of the same name, if a library is missing; else an empty text."""
    if kind_or_extra not in installation.MODULES or not installation.missing_module(kind_or_extra):
        return ""
    return installation.extra_line(kind_or_extra)


def _url(url: str) -> str:
    return shown(mask_url(url))
