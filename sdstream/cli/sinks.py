"""`sdstream sinks`: what there is to write to."""

import sys
from dataclasses import asdict

from sdstream.cli.endpoint import Thing, in_yaml
from sdstream.cli.options import Json
from sdstream.cli.output import say, say_json


def sinks(json: Json = False) -> None:
    """List virtual cameras, NDI and encoders of this machine, and whether they can be used now."""
    page = Thing("preview page", "", {"kind": "preview", "listen": "127.0.0.1:8400"}, "for browsers of this machine")
    found = [*_cameras(), _ndi(), _encoders(), page, Thing("nobody", "", {"kind": "discard"}, "for measuring")]
    if json:
        say_json([asdict(thing) for thing in found])
        return
    for thing in found:
        say(f"{thing.label:<28} {thing.address:<14} - {in_yaml(thing.settings)}\n{'':<28} {thing.state}")


def _cameras() -> list[Thing]:
    if not sys.platform.startswith("linux"):
        return [Thing("OBS Virtual Camera", "", {"kind": "virtualcam"}, "when OBS is installed and not using it")]
    from sdstream.errors import Forbidden, Unavailable
    from sdstream.sinks import loopback
    from sdstream.system import v4l2

    found = []
    for path, label in v4l2.labels().items():
        settings = {"kind": "virtualcam", "device": label}
        try:
            device = v4l2.look(path)
            if device.loopback:
                state = "free" if loopback.is_free(device) else f"held by {loopback.who_has(path)}"
                found.append(Thing(label, path, settings, state))
        except (Forbidden, Unavailable) as error:
            found.append(Thing(label, path, settings, str(error)))
    return found or [Thing("no virtual camera", "", {"kind": "virtualcam"}, f"load the module: {loopback.MODPROBE}")]


def _ndi() -> Thing:
    from sdstream.errors import Unavailable
    from sdstream.system.ndi_runtime import load_ndi

    try:
        load_ndi()
    except Unavailable as error:
        state = str(error)
    else:
        state = "the runtime works"
    return Thing("NDI sender", "", {"kind": "ndi", "name": "sdstream"}, state)


def _encoders() -> Thing:
    from sdstream.sinks import encoders

    reasons = {name: encoders.failure(name) for name in encoders.ENCODERS}
    state = "; ".join(f"{name}: {reason or 'works'}" for name, reason in reasons.items())
    return Thing("RTMP server or file", "", {"kind": "ffmpeg", "url": "rtmp://HOST/APP/${KEY}"}, state)
