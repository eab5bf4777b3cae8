"""A virtual camera, through pyvirtualcam: v4l2loopback on Linux, the OBS camera on Windows and macOS.

Pictures are I420 in BT.709, as OBS expects of a virtual camera. A virtual camera has no sound.
"""

import sys
from typing import Any, Self

import numpy as np

from sdstream.config.sinks import VirtualcamSinkSettings
from sdstream.errors import Unavailable
from sdstream.frame import Frame, Samples
from sdstream.log import get_logger
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.yuv import Yuv420
from sdstream.system.installation import extra_line


class VirtualcamSink:
    """A virtual camera. Readers see a camera after the first picture, so a black picture is sent on opening."""

    def __init__(self, settings: VirtualcamSinkSettings, context: SinkContext) -> None:
        canvas = context.canvas
        self._wanted = settings.device
        self._canvas = canvas
        self._convert = Yuv420(canvas.width, canvas.height, "i420")
        self._planes = self._convert.empty()
        self._camera: Any = None

    def __enter__(self) -> Self:
        """Open the camera.

        Raises Unavailable when the camera is missing, taken by a different writer, or refuses the canvas size;
        Forbidden without the right to open the device.
        """
        try:
            import pyvirtualcam
        except ImportError as error:
            raise Unavailable(f"pyvirtualcam cannot be loaded ({error}); {extra_line('virtualcam')}") from error
        size = self._canvas.width, self._canvas.height
        pixel_format = pyvirtualcam.PixelFormat.I420
        device = self._choose()
        try:
            self._camera = pyvirtualcam.Camera(*size, float(self._canvas.rate), fmt=pixel_format, device=device)
        except RuntimeError as error:
            raise Unavailable(f"the virtual camera cannot be opened: {error}; {_advice(device)}") from error
        if sys.platform == "linux":
            self._tune(self._camera.device)
        black = np.zeros((*size[::-1], 3), np.uint8)
        self.send(Frame(black, 0, 0.0, 0.0), np.zeros((0, 2), np.float32), Due(0))
        get_logger().info("virtual camera open", device=self._camera.device, backend=self._camera.backend)
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Show a picture, and drop the sound. pyvirtualcam does not report failures."""
        del sound, due
        self._convert.convert(frame.pixels, self._planes)
        self._camera.send(self._planes)

    def facts(self) -> dict[str, float]:
        """Return no facts: a virtual camera does not report readers."""
        return {}

    def _choose(self) -> str | None:
        """Return pyvirtualcam's `device`: on Linux a path; elsewhere a name, or None for any camera."""
        if sys.platform != "linux":
            return self._wanted
        from sdstream.sinks import loopback

        return loopback.choose(self._wanted)

    def _tune(self, device: str) -> None:
        """Set owner and rate, and check the format, as pyvirtualcam does not. Raises Unavailable for a wrong format."""
        from sdstream.system import v4l2

        for descriptor in v4l2.our_descriptors(device):
            v4l2.start_streaming(descriptor)
            v4l2.set_rate(descriptor, self._canvas.rate)
            actual = v4l2.get_format(descriptor)
            wanted = (self._canvas.width, self._canvas.height, "YU12", self._planes.size)
            if (actual.width, actual.height, actual.fourcc, actual.size) != wanted:
                advice = _advice(device)
                self.__exit__()
                raise Unavailable(
                    f"{device} was set to {actual.width}x{actual.height} {actual.fourcc} instead of "
                    f"{wanted[0]}x{wanted[1]} YU12; expected a canvas within the module's max_width and max_height: "
                    f"{advice}"
                )


def _advice(device: str | None) -> str:
    if sys.platform != "linux" or device is None:
        return "start the camera of OBS once to install the camera, then stop the camera: only one program can write"
    from sdstream.sinks import loopback

    return f"if a reader keeps the camera at an older size, close the reader: {loopback.holder_names(device)}"
