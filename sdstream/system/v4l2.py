"""Queries video devices by the ioctls of Video4Linux (linux/videodev2.h). For Linux only."""

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from sdstream.errors import Forbidden, Unavailable

_QUERYCAP, _G_FMT, _S_PARM, _STREAMON = 0x80685600, 0xC0D05604, 0xC0CC5616, 0x40045612
_CAPTURE = 1  # V4L2_CAP_VIDEO_CAPTURE
_OUTPUT = 2  # V4L2_CAP_VIDEO_OUTPUT, and by chance V4L2_BUF_TYPE_VIDEO_OUTPUT
_TIMEPERFRAME = 0x1000
_DRIVER = "v4l2 loopback"


@dataclass(frozen=True, slots=True)
class Device:
    """The state of a video device at the time of the query."""

    path: str
    label: str
    loopback: bool
    output: bool
    """Whether a writer may open the device now; with exclusive_caps=1 there is a single writer."""
    capture: bool
    """Whether a reader may open the device now."""


@dataclass(frozen=True, slots=True)
class Format:
    """The picture format of a device."""

    width: int
    height: int
    fourcc: str
    size: int
    """Bytes a picture."""


def labels(system: Path = Path("/sys/class/video4linux")) -> dict[str, str]:
    """Return path and label of every video device, in the order of the device numbers."""
    found = sorted(system.glob("video*/name"), key=lambda name: int(name.parent.name[len("video") :]))
    return {f"/dev/{name.parent.name}": name.read_text().strip() for name in found}


def query(path: str) -> Device:
    """Return the state of the device at `path`.

    Raises Unavailable when `path` is missing or is no video device, Forbidden without the right to open the device.
    """
    answer = bytearray(104)
    with _open_device(path) as descriptor:
        try:
            fcntl.ioctl(descriptor, _QUERYCAP, answer)
        except OSError as error:
            raise Unavailable(f"{path} is no video device ({error.strerror}); see `sdstream sinks`") from error
    driver, card = (answer[start : start + length].split(b"\0")[0].decode() for start, length in ((0, 16), (16, 32)))
    (capabilities,) = struct.unpack_from("I", answer, 88)
    return Device(path, card, driver == _DRIVER, bool(capabilities & _OUTPUT), bool(capabilities & _CAPTURE))


def free_stale_device(path: str) -> None:
    """Free a device left unusable by v4l2loopback 0.12 after the last writer closed (umlaeute/v4l2loopback#442).

    In 0.12 write() marks the device as taken, but only STREAMON records the owner, and closing frees the device for
    the recorded owner alone. Call only for a device with neither output nor capture: beside a live writer, the call
    would let a second writer in.
    """
    with _open_device(path) as descriptor:
        start_streaming(descriptor)


def start_streaming(descriptor: int) -> None:
    """Record the owner of `descriptor` as the writer, so that v4l2loopback 0.12 frees the device on close."""
    with contextlib.suppress(OSError):  # newer modules answer EINVAL, and free the device without STREAMON
        fcntl.ioctl(descriptor, _STREAMON, struct.pack("i", _OUTPUT))


def set_rate(descriptor: int, rate: Fraction) -> None:
    """Set the frame rate shown to readers; without the call, readers see 30 at any rate."""
    request = bytearray(204)
    struct.pack_into("5I", request, 0, _OUTPUT, _TIMEPERFRAME, 0, rate.denominator, rate.numerator)
    fcntl.ioctl(descriptor, _S_PARM, request)


def get_format(descriptor: int) -> Format:
    """Return the actual format of the device: a driver clamps unsupported sizes without an error."""
    request = bytearray(208)
    struct.pack_into("I", request, 0, _OUTPUT)
    fcntl.ioctl(descriptor, _G_FMT, request)
    width, height, fourcc, _field, _line, size = struct.unpack_from("2I4s3I", request, 8)
    return Format(width, height, fourcc.decode("latin-1"), size)


def our_descriptors(path: str) -> list[int]:
    """Return this process's open descriptors of a device; pyvirtualcam does not expose the descriptor of a camera."""
    return [int(name) for name in os.listdir("/proc/self/fd") if _is_link_to(f"/proc/self/fd/{name}", path)]


def holders(path: str) -> list[str]:
    """Return the names of all processes but this one with the device open, as far as this user may see."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            held = any(_is_link_to(str(link), path) for link in (process / "fd").iterdir())
            name = (process / "comm").read_text().strip() if held else ""
        except OSError:  # the process has ended, or belongs to a different user
            continue
        if held:
            found.append(f"{name} (pid {process.name})")
    return found


@contextmanager
def _open_device(path: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError as error:
        raise Forbidden(
            f"no right to use {path}; expected a user in the group of the device: "
            "sudo usermod -aG video $USER, then log in anew"
        ) from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be opened ({error.strerror}); see `sdstream sinks`") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_link_to(link: str, path: str) -> bool:
    try:
        return os.readlink(link) == path
    except OSError:  # the descriptor was closed meanwhile
        return False
