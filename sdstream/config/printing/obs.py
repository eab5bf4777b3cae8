"""What to type into OBS for a source or a sink, from the settings alone; a key is never shown."""

from sdstream.config.outputs import EncodingSink
from sdstream.config.sinks import (
    AnySink,
    NdiSinkSettings,
    PreviewSinkSettings,
    ServeSinkSettings,
    VirtualcamSinkSettings,
)
from sdstream.config.sources import AnySource, RtmpSourceSettings, SrtSourceSettings
from sdstream.redact import mask_url

_EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - compared, and nothing listens here


def obs_settings(source: RtmpSourceSettings) -> str:
    """Return what to type into OBS for a source with `listen`; the key itself is not shown."""
    host, _, port = (source.listen or "").rpartition(":")
    host = "THIS-MACHINE" if host in _EVERYWHERE else host
    key = "any" if source.key is None else "the value of source.key"
    return f"Server rtmp://{host}:{port}/{source.app}, Stream Key: {key}"


def to_source(source: AnySource) -> str:
    """Return what OBS needs to send to `source`; empty for a source that OBS does not send to."""
    if isinstance(source, RtmpSourceSettings) and source.listen:
        return f"Stream: Custom, {obs_settings(source)}"
    if isinstance(source, SrtSourceSettings) and source.listen:
        host, _, port = source.listen.rpartition(":")
        return f"Stream: Custom, Server srt://{'THIS-MACHINE' if host in _EVERYWHERE else host}:{port}"
    return ""


def from_sink(sink: AnySink, port: int = 0) -> str:
    """Return how OBS or a browser gets the show of `sink`, or where the show goes; empty for a sink without a place.

    `port` is the port that the sink has in fact; 0: the port of the settings.
    """
    match sink:
        case VirtualcamSinkSettings():
            return f"Video Capture Device: {sink.device or 'the virtual camera'}"
        case NdiSinkSettings():
            return f"NDI Source: {sink.name}"
        case ServeSinkSettings():
            return f"Media Source: {_address(sink.listen, port, sink.key is not None)}show.ts"
        case PreviewSinkSettings():
            return _address(sink.listen, port, sink.key is not None)
    return mask_url(sink.in_full().url.get_secret_value()) if isinstance(sink, EncodingSink) else ""


def _address(listen: str, port: int, key: bool) -> str:
    host, _, given = listen.rpartition(":")
    host = "THIS-MACHINE" if host in _EVERYWHERE else host
    return f"http://{host}:{port or given}/{'KEY/' if key else ''}"
