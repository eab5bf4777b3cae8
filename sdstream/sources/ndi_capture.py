"""Takes frames out of an NDI receiver through the runtime's C interface.

The binding copies a picture without the alpha plane. Here, a picture is a view of the runtime's memory, alpha included.
"""

import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_float, c_int, c_int64, c_uint32, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdstream.errors import Unavailable

NOTHING, VIDEO, AUDIO = 0, 1, 2
"""Kinds of a capture (NDIlib_frame_type_e); other kinds have no frame."""

INTERLEAVED, FIELD_0, FIELD_1 = 0, 2, 3
"""Values of `frame_format_type`; 1 is progressive."""

_NAMES = ("libndi.so.6", "libndi.dylib", "Processing.NDI.Lib.x64.dll", "libndi.so*")
_CAPSULE = b"RecvInstance"


class Video(Structure):
    """NDIlib_video_frame_v2_t."""

    _fields_ = (
        ("xres", c_int),
        ("yres", c_int),
        ("FourCC", c_int),
        ("frame_rate_N", c_int),
        ("frame_rate_D", c_int),
        ("picture_aspect_ratio", c_float),
        ("frame_format_type", c_int),
        ("timecode", c_int64),
        ("p_data", c_void_p),
        ("line_stride_in_bytes", c_int),
        ("p_metadata", c_char_p),
        ("timestamp", c_int64),
    )

    def bytes(self, size: int, offset: int = 0) -> npt.NDArray[np.uint8]:
        """Return a view of `size` bytes of the picture; valid until the frame is freed."""
        memory: Any = (ctypes.c_uint8 * size).from_address(self.p_data + offset)  # numpy is not typed for ctypes
        return np.frombuffer(memory, np.uint8)


class Audio(Structure):
    """NDIlib_audio_frame_v2_t."""

    _fields_ = (
        ("sample_rate", c_int),
        ("no_channels", c_int),
        ("no_samples", c_int),
        ("timecode", c_int64),
        ("p_data", c_void_p),
        ("channel_stride_in_bytes", c_int),
        ("p_metadata", c_char_p),
        ("timestamp", c_int64),
    )

    def planes(self) -> npt.NDArray[np.float32]:
        """Return a copy of the sound, (channels, samples)."""
        stride = self.channel_stride_in_bytes or 4 * self.no_samples
        floats: Any = (c_float * (self.no_channels * stride // 4)).from_address(self.p_data)
        return np.frombuffer(floats, np.float32).reshape(self.no_channels, -1)[:, : self.no_samples].copy()


class Capture:
    """The frames of a receiver that the binding has made."""

    def __init__(self, ndi: Any, receiver: Any) -> None:  # the binding has no types
        """Raises Unavailable without the runtime's library beside the binding."""
        self._library = _library(ndi)
        address = ctypes.pythonapi.PyCapsule_GetPointer
        address.restype, address.argtypes = c_void_p, (ctypes.py_object, c_char_p)
        self._receiver = c_void_p(address(receiver, _CAPSULE))

    def take(self, wait: int) -> tuple[int, Video, Audio]:
        """Wait up to `wait` milliseconds for a frame; return the kind, and the frame to be freed."""
        video, audio = Video(), Audio()
        kind = self._library.NDIlib_recv_capture_v2(self._receiver, byref(video), byref(audio), None, wait)
        return int(kind), video, audio

    def free(self, frame: Video | Audio) -> None:
        """Give a frame's memory back."""
        if isinstance(frame, Video):
            self._library.NDIlib_recv_free_video_v2(self._receiver, byref(frame))
        else:
            self._library.NDIlib_recv_free_audio_v2(self._receiver, byref(frame))


def _library(ndi: Any) -> ctypes.CDLL:
    folder = Path(ndi.__file__).parent
    found = [path for name in _NAMES for path in sorted(folder.glob(name))]
    if not found:
        raise Unavailable(f"the NDI runtime has no library in {folder}; expected {_NAMES[0]}")
    library = ctypes.CDLL(str(found[0]))  # the binding has loaded the file already: this is the same library
    library.NDIlib_recv_capture_v2.argtypes = (c_void_p, POINTER(Video), POINTER(Audio), c_void_p, c_uint32)
    library.NDIlib_recv_capture_v2.restype = c_int
    library.NDIlib_recv_free_video_v2.argtypes = (c_void_p, POINTER(Video))
    library.NDIlib_recv_free_audio_v2.argtypes = (c_void_p, POINTER(Audio))
    return library
