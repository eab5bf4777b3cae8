"""A virtual camera, through pyvirtualcam: v4l2loopback on Linux, the OBS camera on Windows and macOS.

Pictures are I420 in BT.709, which is what OBS takes a virtual camera for. Its sound has no place here.
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


class VirtualcamSink:
    """One camera. A reader sees it from its first picture on, so a black one is sent at once."""

    def __init__(self, settings: VirtualcamSinkSettings, context: SinkContext) -> None:
        canvas = context.canvas
        self._wanted = settings.device
        self._canvas = canvas
        self._convert = Yuv420(canvas.width, canvas.height, "i420")
        self._planes = self._convert.empty()
        self._camera: Any = None

    def __enter__(self) -> Self:
        """Open the camera.

        Raises Unavailable when there is none, somebody else writes to it, or it refuses the canvas size; Forbidden
        when this user may not use it.
        """
        try:
            import pyvirtualcam
        except ImportError as error:
            raise Unavailable(f"no pyvirtualcam ({error}); pip install 'sdstream[virtualcam]'") from error
        size = self._canvas.width, self._canvas.height
        form = pyvirtualcam.PixelFormat.I420
        device = self._choose()
        try:
            self._camera = pyvirtualcam.Camera(*size, float(self._canvas.rate), fmt=form, device=device)
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
        """Show one picture. pyvirtualcam tells of no failure; the sound is dropped."""
        del sound, due
        self._convert.convert(frame.pixels, self._planes)
        self._camera.send(self._planes)

    def facts(self) -> dict[str, float]:
        """Know nothing: a camera does not tell of its readers."""
        return {}

    def _choose(self) -> str | None:
        """Return what to ask pyvirtualcam for: on Linux a path; elsewhere a name that it knows, or None for any."""
        if sys.platform != "linux":
            return self._wanted
        from sdstream.sinks import loopback

        return loopback.choose(self._wanted)

    def _tune(self, device: str) -> None:
        """Do on the camera's own descriptor what pyvirtualcam leaves out. Raises Unavailable for another format."""
        from sdstream.system import v4l2

        for descriptor in v4l2.our_descriptors(device):
            v4l2.start_streaming(descriptor)
            v4l2.set_rate(descriptor, self._canvas.rate)
            got = v4l2.get_format(descriptor)
            wanted = (self._canvas.width, self._canvas.height, "YU12", self._planes.size)
            if (got.width, got.height, got.fourcc, got.size) != wanted:
                advice = _advice(device)
                self.__exit__()
                raise Unavailable(
                    f"{device} was set to {got.width}x{got.height} {got.fourcc} instead of "
                    f"{wanted[0]}x{wanted[1]} YU12; expected a canvas within the module's max_width and max_height: "
                    f"{advice}"
                )


def _advice(device: str | None) -> str:
    if sys.platform != "linux" or device is None:
        return "start the camera of OBS once, so that it is installed, and stop it: only one can write to it"
    from sdstream.sinks import loopback

    return f"a reader keeps a camera at its old size; close it, if that is so: {loopback.who_has(device)}"
