"""`sdstream sources`: lists the inputs of this machine and network."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream.cli.endpoints import listed
from sdstream.cli.options import Json
from sdstream.cli.output import say, say_json

if TYPE_CHECKING:
    from sdstream.system.endpoint import Endpoint


def sources(
    json: Json = False,
    seconds: Annotated[
        float, typer.Option("--for", metavar="SECONDS", min=0.1, help="How long to look for NDI.")
    ] = 3.0,
    extra_ips: Annotated[list[str] | None, typer.Option("--ip", help="Also ask this address for NDI sources.")] = None,
) -> None:
    """List NDI senders on the network and cameras of this machine; each is a `source:` for the configuration."""
    from sdstream.errors import Unavailable
    from sdstream.sources.registry import KINDS
    from sdstream.system.endpoint import Search
    from sdstream.system.kinds import resolve

    search = Search(seconds, tuple(extra_ips or ()))
    found: list[Endpoint] = []
    for kind in KINDS:
        try:
            found += resolve(kind.listing)(search) if kind.listing else []
        except Unavailable as error:
            print(f"{kind.name}: {error}", file=sys.stderr)
    if json:
        say_json({"sources": [asdict(endpoint) for endpoint in found]})
    elif found:
        say(listed(found, "source:"))
    else:
        say("none found; a publisher such as OBS needs no entry here: source: {kind: rtmp, listen: 127.0.0.1:1935}")
