"""What Linux knows of video devices, asked by the ioctls of Video4Linux (linux/videodev2.h). For Linux only."""

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
    """One video device, at one moment."""

    path: str
    label: str
    loopback: bool
    output: bool
    """Whether a writer may open it now: with exclusive_caps=1 not while another one writes."""
    capture: bool
    """Whether a reader may open it now."""


@dataclass(frozen=True, slots=True)
class Format:
    """What pictures a device was set to."""

    width: int
    height: int
    fourcc: str
    size: int
    """Bytes of one picture."""


def labels(system: Path = Path("/sys/class/video4linux")) -> dict[str, str]:
    """Return the label of every video device by its path, in the order of their numbers."""
    found = sorted(system.glob("video*/name"), key=lambda name: int(name.parent.name[len("video") :]))
    return {f"/dev/{name.parent.name}": name.read_text().strip() for name in found}


def look(path: str) -> Device:
    """Ask one device. Raises Unavailable when it is not there or is no video device, Forbidden when we may not."""
    answer = bytearray(104)
    with _opened(path) as descriptor:
        try:
            fcntl.ioctl(descriptor, _QUERYCAP, answer)
        except OSError as error:
            raise Unavailable(f"{path} is no video device ({error.strerror}); see `sdstream sinks`") from error
    driver, card = (answer[start : start + length].split(b"\0")[0].decode() for start, length in ((0, 16), (16, 32)))
    (capabilities,) = struct.unpack_from("I", answer, 88)
    return Device(path, card, driver == _DRIVER, bool(capabilities & _OUTPUT), bool(capabilities & _CAPTURE))


def heal(path: str) -> None:
    """Free a device that v4l2loopback 0.12 left unusable when its last writer closed it (umlaeute/v4l2loopback#442).

    Its write() marks the device as taken, but only STREAMON notes by whom, so that closing frees it. Only for a
    device that offers neither output nor capture: beside a live writer it would let a second one in.
    """
    with _opened(path) as descriptor:
        start_streaming(descriptor)


def start_streaming(descriptor: int) -> None:
    """Note the owner of `descriptor` as the writer: on v4l2loopback 0.12 this alone lets its close free the device."""
    with contextlib.suppress(OSError):  # newer modules answer EINVAL, and free the device without our help
        fcntl.ioctl(descriptor, _STREAMON, struct.pack("i", _OUTPUT))


def set_rate(descriptor: int, rate: Fraction) -> None:
    """Set the frame rate that readers are told; without it they are told 30 whatever is sent."""
    request = bytearray(204)
    struct.pack_into("5I", request, 0, _OUTPUT, _TIMEPERFRAME, 0, rate.denominator, rate.numerator)
    fcntl.ioctl(descriptor, _S_PARM, request)


def get_format(descriptor: int) -> Format:
    """Return what the device was really set to: drivers clamp what they cannot do, and say so only here."""
    request = bytearray(208)
    struct.pack_into("I", request, 0, _OUTPUT)
    fcntl.ioctl(descriptor, _G_FMT, request)
    width, height, fourcc, _field, _line, size = struct.unpack_from("2I4s3I", request, 8)
    return Format(width, height, fourcc.decode("latin-1"), size)


def our_descriptors(path: str) -> list[int]:
    """Return this process's open descriptors of a device; pyvirtualcam keeps its own to itself."""
    return [int(name) for name in os.listdir("/proc/self/fd") if _leads_to(f"/proc/self/fd/{name}", path)]


def holders(path: str) -> list[str]:
    """Name the other processes that have a device open, as far as this user may see them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            held = any(_leads_to(str(link), path) for link in (process / "fd").iterdir())
            name = (process / "comm").read_text().strip() if held else ""
        except OSError:  # it has ended, or belongs to somebody else
            continue
        if held:
            found.append(f"{name} (pid {process.name})")
    return found


@contextmanager
def _opened(path: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except PermissionError as error:
        raise Forbidden(
            f"no right to use {path}; expected to be in the group that owns it: "
            "sudo usermod -aG video $USER, then log in anew"
        ) from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be opened ({error.strerror}); see `sdstream sinks`") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _leads_to(link: str, path: str) -> bool:
    try:
        return os.readlink(link) == path
    except OSError:  # closed meanwhile
        return False
