"""The findings of `sdstream doctor FILE`: what the show of a configuration needs on this machine.

A part that one show does not use is a note on the machine, and missing for the show that uses the part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sdstream.config.base import Settings
from sdstream.config.engine import DiffusionSettings
from sdstream.config.schema import Config
from sdstream.config.sinks import PreviewSinkSettings, ServeSinkSettings, VirtualcamSinkSettings
from sdstream.config.sources import RtmpSourceSettings
from sdstream.errors import Forbidden, Unavailable
from sdstream.system import installation
from sdstream.system.finding import Finding
from sdstream.system.kinds import Kind, kind_of, resolve


def show_findings(config: Config) -> Iterator[Finding]:
    """Check each part of the show; a check may take seconds."""
    from sdstream.cli.families import FAMILIES

    told: set[str] = set()
    parts: list[tuple[str, Settings, bool]] = [("source", config.source, False), ("engine", config.engine, False)]
    parts += [("sinks", sink, sink.optional) for sink in config.sinks]
    for family, settings, optional in sorted(parts, key=lambda part: part[2]):
        for check in _checks(kind_of(settings, FAMILIES[family]), settings):
            if check not in told:
                told.add(check)
                yield _as_needed(resolve(check)(), optional)
    if config.control is not None:
        yield _library("control", "the libraries of the control server are installed")
        if config.control.midi is not None:
            yield _library("midi", "the libraries for MIDI are installed")
    yield from _ports(config)
    yield from _cameras(config)
    yield from _files(config)


def _checks(kind: Kind, settings: Settings) -> Sequence[str]:
    """Return the checks that these settings need; ports are checked by their settings instead."""
    if isinstance(settings, DiffusionSettings):
        wanted = {"openvino": settings.acceleration == "openvino", "gpu": settings.device.startswith("cuda")}
        return [check for check in kind.checks if wanted.get(check.rpartition(":")[2], True)]
    return [check for check in kind.checks if "port_check" not in check]


def _as_needed(finding: Finding, optional: bool = False) -> Finding:
    """Return a note as missing when the show needs the part."""
    return replace(finding, state="missing") if finding.state == "note" and not optional else finding


def _library(extra: str, present: str) -> Finding:
    if module := installation.missing_module(extra):
        return Finding(extra, "missing", f"{module} is not installed", installation.extra_line(extra))
    return Finding(extra, "ok", present)


def _ports(config: Config) -> Iterator[Finding]:
    from sdstream.system.port_check import check_port

    addresses = []
    if isinstance(config.source, RtmpSourceSettings) and config.source.listen:
        addresses.append(("rtmp port", config.source.listen, "source.listen", False))
    for index, sink in enumerate(config.sinks):
        if isinstance(sink, PreviewSinkSettings):
            addresses.append(("page port", sink.listen, f"sinks.{index}.listen", sink.optional))
        if isinstance(sink, ServeSinkSettings):
            addresses.append(("serve port", sink.listen, f"sinks.{index}.listen", sink.optional))
    if config.control is not None:
        addresses.append(("control port", config.control.listen, "control.listen", False))
    for name, address, setting, optional in addresses:
        if port := int(address.rpartition(":")[2]):
            yield _as_needed(check_port(name, port, setting), optional)


def _cameras(config: Config) -> Iterator[Finding]:
    """Check that the devices of the virtual cameras are there and free."""
    if not Path("/sys/module/v4l2loopback").exists():  # told by the check of the kind
        return
    from sdstream.sinks import loopback

    for index, sink in enumerate(config.sinks):
        if isinstance(sink, VirtualcamSinkSettings):
            name = f"sinks.{index}"
            try:
                yield Finding(name, "ok", f"{loopback.choose(sink.device)} is free")
            except (Forbidden, Unavailable) as error:
                yield _as_needed(Finding(name, "note", str(error)), sink.optional)


def _files(config: Config) -> Iterator[Finding]:
    from sdstream.config.mistakes.missing import absent

    if missing := absent(config):
        yield Finding("files", "missing", missing)
