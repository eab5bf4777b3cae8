"""Looks for the libraries of a configuration before any stage starts: no run goes on air only to end again."""

from sdstream.config.engine import PassthroughSettings
from sdstream.config.schema import Config
from sdstream.engine.registry import KINDS as ENGINES
from sdstream.sinks.registry import KINDS as SINKS
from sdstream.sources.registry import KINDS as SOURCES
from sdstream.system import installation
from sdstream.system.kinds import kind_of


def require(config: Config) -> None:
    """Raise Unavailable, with the line to type, when a library is not installed; optional sinks may lack theirs."""
    kind_of(config.source, SOURCES).require()
    kind_of(config.engine, ENGINES).require()
    if not isinstance(config.engine, PassthroughSettings) and config.engine.acceleration == "openvino":
        installation.require("openvino", "engine.acceleration: openvino")
    if config.control is not None:
        installation.require("control", "control:")
        if config.control.midi is not None:
            installation.require("midi", "control.midi")
    for sink in config.sinks:
        if not sink.optional:
            kind_of(sink, SINKS).require()
