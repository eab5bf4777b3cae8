"""`sdstream sources`: what there is to read from."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from sdstream.cli.endpoint import Thing, in_yaml
from sdstream.cli.options import Json
from sdstream.cli.output import say, say_json


def sources(
    json: Json = False,
    seconds: Annotated[
        float, typer.Option("--for", metavar="SECONDS", min=0.1, help="How long to look for NDI.")
    ] = 3.0,
    extra_ips: Annotated[list[str] | None, typer.Option("--ip", help="Also ask this address for NDI sources.")] = None,
) -> None:
    """List NDI senders on the network and cameras of this machine; each is a `source:` for the configuration."""
    from sdstream.errors import Unavailable

    found: list[Thing] = []
    try:
        found += _ndi(seconds, extra_ips or [])
    except Unavailable as error:
        print(f"ndi: {error}", file=sys.stderr)
    found += _cameras()
    if json:
        say_json([asdict(thing) for thing in found])
        return
    for thing in found:
        say(f"{thing.label:<36} {thing.address:<22} source: {in_yaml(thing.settings)}")
    if not found:
        say("none; a publisher such as OBS needs no entry here: source: {kind: rtmp, listen: 127.0.0.1:1935}")


def _ndi(seconds: float, extra_ips: list[str]) -> list[Thing]:
    from sdstream.sources.ndi import find_sources

    return [
        Thing(source.name, source.url, {"kind": "ndi", "name": source.name})
        for source in find_sources(seconds, extra_ips)
    ]


def _cameras() -> list[Thing]:
    """Return the devices of Video4Linux that a reader may open now; a virtual camera is one while it is written to."""
    if not sys.platform.startswith("linux"):
        return []
    from sdstream.errors import Forbidden, Unavailable
    from sdstream.system import v4l2

    found: list[Thing] = []
    for path, label in v4l2.labels().items():
        try:
            if not v4l2.look(path).capture:
                continue
        except (Forbidden, Unavailable) as error:
            print(f"{path}: {error}", file=sys.stderr)
            continue
        found.append(Thing(label, path, {"kind": "ffmpeg", "url": path, "format": "v4l2"}))
    return found
