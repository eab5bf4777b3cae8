"""Which v4l2loopback device is ours to write to, and who has it when it is not. For Linux only."""

import os

from sdstream.errors import Unavailable
from sdstream.system import v4l2

MODPROBE = (
    'sudo modprobe v4l2loopback devices=2 video_nr=10,11 card_label="sdstream,OBS Virtual Camera" exclusive_caps=1,1'
)
"""Loads the module with a device for us and one for OBS, so that the two never fight."""

_TWO = "load the module with devices=2 and start sdstream first"


def choose(wanted: str | None) -> str:
    """Return the path of the device that `wanted` (label, path, or None: the first free one) names.

    Raises Unavailable when there is none or somebody has it, Forbidden when this user may not use it.
    """
    labels = v4l2.labels()
    if wanted is None:
        return _first_free(list(labels))
    if wanted.startswith("/"):
        return _named(os.path.realpath(wanted))
    for path, label in labels.items():
        if label == wanted:
            return _named(path)
    present = ", ".join(f'"{label}" ({path})' for path, label in labels.items()) or "no video device at all"
    raise Unavailable(f'no virtual camera is labelled "{wanted}": there is {present}; load the module: {MODPROBE}')


def is_free(device: v4l2.Device) -> bool:
    """Tell whether a writer may open `device`; frees it from a writer that is long gone."""
    if not device.output and not device.capture:
        v4l2.heal(device.path)
        device = v4l2.look(device.path)
    return device.output


def who_has(path: str) -> str:
    """Name who has `path` open, as far as this user may know. A reader looks the same as a writer."""
    return ", ".join(v4l2.holders(path)) or "another program"


def _first_free(paths: list[str]) -> str:
    taken = []
    for path in paths:
        device = v4l2.look(path)
        if not device.loopback:
            continue
        if is_free(device):
            return path
        taken.append(f"{path} is held by {who_has(path)}")
    if taken:
        raise Unavailable(f"no virtual camera is free: {'; '.join(taken)}; {_TWO}: {MODPROBE}")
    raise Unavailable(f"there is no virtual camera; load the module: {MODPROBE}")


def _named(path: str) -> str:
    device = v4l2.look(path)
    if not device.loopback:
        raise Unavailable(f'{path} ("{device.label}") is a real camera, not a virtual one; see `sdstream sinks`')
    if not is_free(device):
        raise Unavailable(f"{path} is held by {who_has(path)}; end that, or {_TWO}: {MODPROBE}")
    return path
