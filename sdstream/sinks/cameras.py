"""Lists the virtual cameras of this machine, and checks the needs of a virtual camera."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from sdstream.errors import Forbidden, Unavailable
from sdstream.system.endpoint import Endpoint
from sdstream.system.finding import Finding
from sdstream.system.installation import extra_line


def listing() -> list[Endpoint]:
    """Return the virtual cameras, each with the program that writes to the camera now."""
    if not sys.platform.startswith("linux"):
        state = "available when OBS is installed and does not use the camera"
        return [Endpoint("OBS Virtual Camera", "", {"kind": "virtualcam"}, state)]
    from sdstream.sinks import loopback
    from sdstream.system import v4l2

    found = []
    for path, label in v4l2.labels().items():
        settings = {"kind": "virtualcam", "device": label}
        try:
            device = v4l2.query(path)
            if device.loopback:
                state = "free" if loopback.is_free(device) else f"held by {loopback.holder_names(path)}"
                found.append(Endpoint(label, path, settings, state))
        except (Forbidden, Unavailable) as error:
            found.append(Endpoint(label, path, settings, str(error)))
    return found or [Endpoint("no virtual camera", "", {"kind": "virtualcam"}, f"type: {loopback.whole_way()}")]


def check() -> Finding:
    """Look for pyvirtualcam, the module v4l2loopback, and a device that this user may open; for `sdstream doctor`."""
    if find_spec("pyvirtualcam") is None:
        return Finding("virtualcam", "note", "pyvirtualcam is not installed", extra_line("virtualcam"))
    if not sys.platform.startswith("linux"):
        return Finding(
            "virtualcam", "ok", "uses the camera of OBS: start the camera once in OBS, to install the camera"
        )
    return _v4l2loopback(Path("/sys"), Path("/dev"))


def _v4l2loopback(system: Path, devices: Path) -> Finding:
    from sdstream.sinks.loopback import module_installed, whole_way

    module = system / "module" / "v4l2loopback"
    if not module.exists():
        state = "loaded" if module_installed() else "installed"
        return Finding("virtualcam", "note", f"the v4l2loopback module is not {state}", whole_way(system))
    names = sorted(system.glob("devices/virtual/video4linux/video*/name"))
    if not names:
        return Finding(
            "virtualcam",
            "note",
            "v4l2loopback is loaded and has no device",
            whole_way(system),
        )
    return _loopback_devices(module, names, devices)


def _loopback_devices(module: Path, names: list[Path], devices: Path) -> Finding:
    labels = {devices / name.parent.name: name.read_text().strip() for name in names}
    forbidden = [str(device) for device in labels if not os.access(device, os.R_OK | os.W_OK)]
    if forbidden:
        return Finding(
            "virtualcam",
            "note",
            f"no right to use {', '.join(forbidden)}",
            "sudo usermod -aG video $USER, then log in anew",
        )
    version_file = module / "version"
    version = version_file.read_text().strip() if version_file.exists() else "0.12 or older"
    listed = ", ".join(f'{device} "{label}"' for device, label in labels.items())
    return Finding("virtualcam", "ok", f"v4l2loopback {version}: {listed}")
