"""Finds the parts of a run that get in each other's way, from the settings alone: no device or file is opened."""

from collections.abc import Iterator

from sdstream.config.abilities import Obstacle
from sdstream.config.base import is_loopback
from sdstream.config.mistakes.existing_file import expanded
from sdstream.config.outputs import EncodingSink
from sdstream.config.schema import Config
from sdstream.config.sinks import AnySink

_ANY_HOST = ("0.0.0.0", "[::]", "*")  # noqa: S104 - the user's setting is compared, and nothing listens here


_LOCATION = {"twitch": "key", "youtube": "key", "file": "path"}
"""The setting with the place of an output, where the setting is not `url`."""


def clashes(config: Config) -> list[Obstacle]:
    """Return a reason for each setting that takes a port, a device, a name or a file of an earlier part."""
    return [*_ports(config), *_outputs(config)]


def _ports(config: Config) -> Iterator[Obstacle]:
    taken: list[tuple[str, str]] = []
    if config.source.kind == "rtmp" and config.source.listen:
        taken.append(("source", config.source.listen))
    listeners: list[tuple[tuple[str, ...], str]] = [(("control",), config.control.listen)] if config.control else []
    listeners += [
        (("sinks", str(index)), sink.listen)
        for index, sink in enumerate(config.sinks)
        if sink.kind in ("preview", "serve")
    ]
    for path, own in listeners:
        for owner, address in taken:
            if _same_port(address, own):
                reason = f"{own}: {owner} listens there already; take another port, such as {_other_port(taken)}"
                yield Obstacle((*path, "listen"), reason)
                break
        taken.append((".".join(path), own))


def _same_port(left: str, right: str) -> bool:
    """Tell whether two addresses cannot be listened to at the same time. Port 0 takes any free port."""
    (host, _, port), (other, _, other_port) = left.rpartition(":"), right.rpartition(":")
    if int(port) != int(other_port) or int(port) == 0:
        return False
    alike = host == other or (is_loopback(left) and is_loopback(right) and "localhost" in (host, other))
    return alike or host in _ANY_HOST or other in _ANY_HOST


def _other_port(taken: list[tuple[str, str]]) -> int:
    ports = [int(address.rpartition(":")[2]) for _, address in taken]
    return next(port for port in range(8400, 65536) if port not in ports)


def _outputs(config: Config) -> Iterator[Obstacle]:
    owners: dict[tuple[str, str], str] = {}
    if config.source.kind == "ffmpeg":
        owners["url", _target(config.source.url.get_secret_value())] = "source"
    for index, sink in enumerate(config.sinks):
        key, value, advice = _output(sink)
        record = sink.in_full().record if isinstance(sink, EncodingSink) else None
        if record:
            first = owners.setdefault(("url", _target(record)), f"sinks.{index}")
            if first != f"sinks.{index}":
                yield Obstacle(("sinks", str(index), "record"), f"a recording needs a file of its own; {first} has it")
        if not value:
            continue
        first = owners.setdefault((key, value), f"sinks.{index}")
        if first != f"sinks.{index}":
            shown = _LOCATION.get(sink.kind, key)
            yield Obstacle(("sinks", str(index), shown), f"{advice}; {first} has the same {shown}")


def _output(sink: AnySink) -> tuple[str, str, str]:
    """Return the key and the value of the place that a sink needs alone, and the advice when the place is taken."""
    if sink.kind == "ndi":
        return "name", sink.name, "two ndi senders have the same name; give each sender a name of its own"
    if sink.kind == "virtualcam" and sink.device:
        return "device", sink.device, "a virtual camera takes a single writer; name another device, or remove a sink"
    if isinstance(sink, EncodingSink):
        return "url", _target(sink.in_full().url.get_secret_value()), "each output needs a place of its own"
    return "", "", ""


def _target(url: str) -> str:
    """Return the absolute path of a file, or the URL."""
    return url if "://" in url else str(expanded(url).absolute())
