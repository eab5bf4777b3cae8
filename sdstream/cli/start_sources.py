"""The source lines that `sdstream init --from` writes: OBS, a webcam, NDI, a file or URL, a test picture."""

import re
import sys

from sdstream.cli.endpoints import in_yaml

_OBS = re.compile(r"# OBS: .*?(?=# Further kinds)", re.DOTALL)
"""The source in start.yaml, with the comments."""


def with_source(text: str, wanted: str, platform: str = sys.platform) -> str:
    """Return the configuration `text` of start.yaml with the source `wanted`, as in the help of `--from`."""
    if wanted == "obs":
        return text
    comment, settings = _piece(wanted, platform)
    lines = f"# {comment}\nsource: {in_yaml(settings)}\n"
    return _OBS.sub(lambda _: lines, text, count=1)


def _piece(wanted: str, platform: str) -> tuple[str, dict[str, str | bool | dict[str, str]]]:
    """Return a comment, and the settings of a source."""
    word, _, name = wanted.partition(":")
    if word == "webcam":
        return _webcam(name, platform)
    if word == "ndi":
        comment = "`sdstream sources` lists the NDI sources on the network; `name` is as listed there."
        return comment, {"kind": "ndi", "name": name or "STUDIO (Camera 1)"}
    if wanted == "testsrc":
        return "A moving test picture, with a beep each second.", {"kind": "testsrc"}
    if re.match(r"rtmps?://", wanted):
        return "Fetched from a server.", {"kind": "rtmp", "url": wanted}
    if re.match(r"\w{2,}:", wanted):
        return "Fetched from a server.", {"kind": "ffmpeg", "url": wanted}
    return "A file, from the start again at the end.", {"kind": "ffmpeg", "url": wanted, "loop": True}


def _webcam(name: str, platform: str) -> tuple[str, dict[str, str | bool | dict[str, str]]]:
    """Return the webcam `name`, by default the first webcam, as FFmpeg names webcams on `platform`."""
    if platform == "win32":
        comment = "The name is the name in the Device Manager under Cameras."
        return comment, {"kind": "ffmpeg", "format": "dshow", "url": f"video={name or 'Integrated Camera'}"}
    if platform == "darwin":
        comment = "0 is the first camera, 1 the second; a name does as well."
        return comment, {
            "kind": "ffmpeg",
            "format": "avfoundation",
            "url": name or "0",
            "options": {"framerate": "30"},
        }
    comment = "A webcam; for a larger picture: options: {video_size: 1280x720, input_format: mjpeg}"
    return comment, {"kind": "ffmpeg", "format": "v4l2", "url": name or _first_camera()}


def _first_camera() -> str:
    """Return the path of the first camera that this user may read, else of the first camera of most machines."""
    from sdstream.sources.cameras import listing
    from sdstream.system.endpoint import Search

    return next((camera.address for camera in listing(Search()) if not camera.state), "/dev/video0")
