"""`sdstream sinks`: lists the outputs of this machine."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from sdstream.cli.endpoints import listed
from sdstream.cli.options import Json
from sdstream.cli.output import say, say_json

if TYPE_CHECKING:
    from sdstream.system.endpoint import Endpoint


def sinks(json: Json = False) -> None:
    """List virtual cameras, NDI and encoders of this machine, and whether each can be used now."""
    from sdstream.sinks.registry import KINDS
    from sdstream.system.kinds import resolve

    found: list[Endpoint] = [endpoint for kind in KINDS if kind.listing for endpoint in resolve(kind.listing)()]
    if json:
        say_json({"sinks": [asdict(endpoint) for endpoint in found]})
    else:
        say(listed(found, "-"))
