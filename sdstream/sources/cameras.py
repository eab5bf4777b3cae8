"""The cameras of this machine, for the `ffmpeg` source."""

import sys

from sdstream.errors import Forbidden, Unavailable
from sdstream.system.endpoint import Endpoint, Search


def listing(search: Search) -> list[Endpoint]:  # noqa: ARG001 - every source's listing has this parameter
    """Return the readable Video4Linux devices; a virtual camera is readable while a program writes pictures.

    A device without an answer is listed with the reason.
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
