"""What `doctor` asks about the machine: camera devices, the RTMP port, shared memory, disk."""

import os
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from sdstream.cli.doctor_finding import Finding

RTMP_PORT = 1935
_GB = 1e9


def virtual_camera() -> Finding:
    """A virtual camera to write to: the module, a device, the right to use it."""
    if find_spec("pyvirtualcam") is None:
        return Finding("virtualcam", "note", "pyvirtualcam is not installed", "pip install 'sdstream[virtualcam]'")
    if not sys.platform.startswith("linux"):
        return Finding("virtualcam", "ok", "through the camera of OBS: start it once in OBS, so that it is installed")
    return _v4l2loopback(Path("/sys"), Path("/dev"))


def _v4l2loopback(system: Path, devices: Path) -> Finding:
    from sdstream.sinks.loopback import MODPROBE

    module = system / "module" / "v4l2loopback"
    if not module.exists():
        if _module_installed():
            return Finding("virtualcam", "note", "the v4l2loopback module is not loaded", MODPROBE)
        install = "sudo apt-get install v4l2loopback-dkms linux-headers-$(uname -r)"
        return Finding("virtualcam", "note", "the v4l2loopback module is not installed", f"{install} && {MODPROBE}")
    names = sorted(system.glob("devices/virtual/video4linux/video*/name"))
    if not names:
        return Finding(
            "virtualcam",
            "note",
            "v4l2loopback is loaded and has no device",
            f"sudo modprobe -r v4l2loopback && {MODPROBE}",
        )
    labels = {devices / name.parent.name: name.read_text().strip() for name in names}
    shut = [str(device) for device in labels if not os.access(device, os.R_OK | os.W_OK)]
    if shut:
        return Finding(
            "virtualcam", "note", f"no right to use {', '.join(shut)}", "sudo usermod -aG video $USER, then log in anew"
        )
    version = module / "version"
    told = version.read_text().strip() if version.exists() else "0.12 or older"
    listed = ", ".join(f'{device} "{label}"' for device, label in labels.items())
    return Finding("virtualcam", "ok", f"v4l2loopback {told}: {listed}")


def _module_installed() -> bool:
    modinfo = shutil.which("modinfo") or shutil.which("modinfo", path="/sbin:/usr/sbin")
    if modinfo is None:
        return False
    return subprocess.run([modinfo, "v4l2loopback"], capture_output=True, timeout=10, check=False).returncode == 0


def rtmp_port(port: int = RTMP_PORT) -> Finding:
    """The port that OBS streams to, and who has it."""
    with socket.socket() as probe:
        if os.name == "posix":  # elsewhere this option would let two listeners share the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            fix = f'end it, or take another port: --set source.listen="127.0.0.1:{port + 1}"'
            return Finding("rtmp port", "note", f"{port} is taken by {_owner(port) or error.strerror}", fix)
    return Finding("rtmp port", "ok", f"{port} is free")


def _owner(port: int) -> str:
    """Name the process that listens on `port`; empty when the system does not tell this user."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""
    return ""


def shared_memory() -> Finding:
    """Room for the pictures between processes: those of 720p at least, of 4K at best, each for two outputs."""
    from sdstream.ipc.mailbox import Mailbox
    from sdstream.ipc.shared_memory import PLACE, enlarge, room

    free = room()
    if free is None:
        return Finding("shared memory", "ok", "kept by the system")
    small, large = (Mailbox.room(size * 3, 3) + Mailbox.room(size * 3, 2) for size in (1280 * 720, 3840 * 2160))
    if free >= large:
        return Finding("shared memory", "ok", f"{free / _GB:.1f} GB free")
    told = (
        f"{free / 1e6:.0f} MB free in {PLACE}; two outputs take {small / 1e6:.0f} MB at 720p, {large / 1e6:.0f} at 4K"
    )
    return Finding("shared memory", "note" if free >= small else "missing", told, enlarge(large))


def disk() -> Finding:
    """Room for models and recordings."""
    free = shutil.disk_usage(Path.cwd()).free
    if free < 10 * _GB:
        return Finding("disk", "note", f"{free / _GB:.1f} GB free; a model takes 2 to 7 GB", "make room")
    return Finding("disk", "ok", f"{free / _GB:.0f} GB free")
