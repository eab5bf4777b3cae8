"""What `sdstream sinks` shows: the virtual cameras, the NDI runtime and the H.264 encoders that are really there."""

import importlib.util
import sys
from dataclasses import dataclass

from sdstream.errors import SdstreamError


@dataclass(frozen=True, slots=True)
class FoundSink:
    """One thing to send to, or to send with."""

    kind: str
    """Kind of sink that uses it: virtualcam, ndi or ffmpeg."""
    name: str
    """What to write in the configuration: the device, or the encoder; for ndi the name of the runtime."""
    usable: bool
    """Whether it could be used at this moment."""
    detail: str
    """Its label, version or place when it can; why not, and what to do, when it cannot."""


def list_sinks() -> list[FoundSink]:
    """Return everything that was found. It asks devices, loads the NDI runtime and encodes a picture: a second."""
    return [*_cameras(), _ndi(), *_encoders()]


def _cameras() -> list[FoundSink]:
    if importlib.util.find_spec("pyvirtualcam") is None:
        detail = "pyvirtualcam is not installed: pip install 'sdstream[virtualcam]'"
        return [FoundSink("virtualcam", "none", False, detail)]
    if sys.platform != "linux":
        detail = "there if OBS is installed and its virtual camera was started once"
        return [FoundSink("virtualcam", "OBS Virtual Camera", True, detail)]
    return _loopbacks()


def _loopbacks() -> list[FoundSink]:
    from sdstream.sinks import loopback, v4l2

    found = []
    for path, label in v4l2.labels().items():
        try:
            device = v4l2.look(path)
            if not device.loopback:
                continue
            free = loopback.is_free(device)
            found.append(
                FoundSink("virtualcam", path, free, label if free else f"{label}, held by {loopback.who_has(path)}")
            )
        except SdstreamError as error:
            found.append(FoundSink("virtualcam", path, False, str(error)))
    return found or [FoundSink("virtualcam", "none", False, f"load the module: {loopback.MODPROBE}")]


def _ndi() -> FoundSink:
    from sdstream.sinks.ndi import load_runtime

    try:
        return FoundSink("ndi", "NDI", True, str(load_runtime().version()))
    except SdstreamError as error:
        return FoundSink("ndi", "NDI", False, str(error))


def _encoders() -> list[FoundSink]:
    from sdstream.sinks import encoders

    reasons = {name: encoders.failure(name) for name in encoders.ENCODERS}
    return [FoundSink("ffmpeg", name, reason is None, reason or "works") for name, reason in reasons.items()]
