"""The small virtual machine with a real v4l2loopback: its build, and the run of a Python module in the machine."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]
_SCRIPTS = _REPOSITORY / "scripts" / "camera_vm"
_TOOLS = ("apt-get", "dpkg-deb", "gcc", "make", "strip", "busybox", "qemu-system-x86_64")
_APT_FAILED = 100
OPTIONS = "devices=2 video_nr=10,11 card_label=sdstream,second exclusive_caps=1,1 max_width=800 max_height=600"


class NoMachineError(Exception):
    """This computer cannot build or run the machine; the text says why."""


def missing() -> str | None:
    """Return why this computer cannot have the machine, or None when it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "the camera machine needs Linux on x86-64"
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if absent:
        wanted = "qemu-system-x86 busybox-static gcc make binutils libc6-dev libelf1"
        return f"the camera machine needs {', '.join(absent)}: sudo apt install {wanted}"
    return None


def build(version: str) -> Path:
    """Return the folder of the machine with v4l2loopback `version`, building it if need be (half a minute, 81 MB).

    Raises NoMachineError when the package archive cannot be reached.
    """
    cache = Path(os.environ.get("SDSTREAM_VM_CACHE", Path.home() / ".cache" / "sdstream-test"))
    folder = cache / f"camera-vm-{version}"
    if not (folder / "initrd.gz").exists():
        built = subprocess.run(
            [_SCRIPTS / "build", version, folder], capture_output=True, text=True, timeout=400, check=False
        )
        if built.returncode == _APT_FAILED:
            raise NoMachineError(f"the package archive cannot be reached: {built.stderr[-500:]}")
        assert built.returncode == 0, built.stderr
    return folder


def run(folder: Path, out: Path, module: str, *words: str) -> str:
    """Run `python -m module words` in the machine, where `out` is /vm; return what it said, and fail if it failed."""
    command = [_SCRIPTS / "run", folder, out, OPTIONS, sys.executable, "-m", module, *words]
    processors = {"VM_CPUS": str(min(2, os.cpu_count() or 1))}
    done = subprocess.run(
        command, cwd=_REPOSITORY, capture_output=True, text=True, timeout=320, check=False, env=os.environ | processors
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
