"""The cameras of this machine, which the `ffmpeg` source reads."""

import sys

from sdstream.errors import Forbidden, Unavailable
from sdstream.system.endpoint import Endpoint, Search


def listing(search: Search) -> list[Endpoint]:  # noqa: ARG001 - what every source's listing takes
    """Return the Video4Linux devices that can be read now; a virtual camera is one while a program writes to it.

    A device that refuses to answer is listed with its reason.
    """
    if not sys.platform.startswith("linux"):
        return []
    from sdstream.system import v4l2

    found = []
    for path, label in v4l2.labels().items():
        settings = {"kind": "ffmpeg", "url": path, "format": "v4l2"}
        try:
            if v4l2.query(path).capture:
                found.append(Endpoint(label, path, settings))
        except (Forbidden, Unavailable) as error:
            found.append(Endpoint(label, path, settings, str(error)))
    return found
