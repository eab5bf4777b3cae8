"""Chooses a free v4l2loopback device, and names the programs that hold a taken device. For Linux only."""

import os
import shutil
import subprocess
from pathlib import Path

from sdstream.errors import Unavailable
from sdstream.system import v4l2

MODPROBE = (
    'sudo modprobe v4l2loopback devices=2 video_nr=10,11 card_label="sdstream,OBS Virtual Camera" exclusive_caps=1,1'
)
"""Loads the module with two devices, so that sdstream and OBS never compete for a device."""

_PACKAGES = {
    "apt-get": "sudo apt-get install v4l2loopback-dkms linux-headers-$(uname -r)",
    "pacman": "sudo pacman -S v4l2loopback-dkms linux-headers",
    "zypper": "sudo zypper install v4l2loopback-kmp-default",
    "apk": "sudo apk add v4l2loopback",
}
"""The line that installs the module, by the package manager on PATH."""

_LOAD_TWO = "load the module with devices=2 and start sdstream first"


def whole_way(system: Path = Path("/sys")) -> str:
    """Return the line that leads to two virtual cameras: install the module if missing, then load the module.

    A module loaded with other devices has to be unloaded first, else `modprobe` does nothing.
    """
    if (system / "module" / "v4l2loopback").exists():
        return f"sudo modprobe -r v4l2loopback && {MODPROBE}"
    if module_installed():
        return MODPROBE
    for program, line in _PACKAGES.items():
        if shutil.which(program):
            return f"{line} && {MODPROBE}"
    return f"install v4l2loopback with the package manager of this system, then: {MODPROBE}"


def module_installed() -> bool:
    """Tell whether the module is there for the present kernel, loaded or not."""
    modinfo = shutil.which("modinfo") or shutil.which("modinfo", path="/sbin:/usr/sbin")
    if modinfo is None:
        return False
    return subprocess.run([modinfo, "v4l2loopback"], capture_output=True, timeout=10, check=False).returncode == 0


def choose(wanted: str | None) -> str:
    """Return the path of the device `wanted` (a label or a path), or of the first free device for None.

    Raises Unavailable when the device is missing or taken, Forbidden without the right to open the device.
    """
    labels = v4l2.labels()
    if wanted is None:
        return _first_free(list(labels))
    if wanted.startswith("/"):
        return _check_free(os.path.realpath(wanted))
    for path, label in labels.items():
        if label == wanted:
            return _check_free(path)
    present = ", ".join(f'"{label}" ({path})' for path, label in labels.items()) or "no video device at all"
    raise Unavailable(f'no virtual camera is labelled "{wanted}": there is {present}; type: {whole_way()}')


def is_free(device: v4l2.Device) -> bool:
    """Tell whether a writer may open `device`; frees a device left unusable by an earlier writer."""
    if not device.output and not device.capture:
        v4l2.free_stale_device(device.path)
        device = v4l2.query(device.path)
    return device.output


def holder_names(path: str) -> str:
    """Return the names of all programs with `path` open, writers and readers, as far as this user may see."""
    return ", ".join(v4l2.holders(path)) or "another program"


def _first_free(paths: list[str]) -> str:
    taken = []
    for path in paths:
        device = v4l2.query(path)
        if not device.loopback:
            continue
        if is_free(device):
            return path
        taken.append(f"{path} is held by {holder_names(path)}")
    if taken:
        raise Unavailable(f"no virtual camera is free: {'; '.join(taken)}; {_LOAD_TWO}: {whole_way()}")
    raise Unavailable(f"there is no virtual camera; type: {whole_way()}")


def _check_free(path: str) -> str:
    if not os.path.exists(path):
        raise Unavailable(
            f"there is no device {path}; `sdstream sinks` lists the virtual cameras; or type: {whole_way()}"
        )
    device = v4l2.query(path)
    if not device.loopback:
        raise Unavailable(f'{path} ("{device.label}") is a real camera, not a virtual one; see `sdstream sinks`')
    if not is_free(device):
        raise Unavailable(f"{path} is held by {holder_names(path)}; end that program, or {_LOAD_TWO}: {whole_way()}")
    return path
