"""Reads clips for the measurements: small square pictures, with the starts of shots as found by FFmpeg."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np

from sdstream.errors import Unavailable
from sdstream.frame import Pixels

SIDE = 256
"""Side of the pictures in pixels: the middle square of the clip, scaled."""

CUT_SCORE = 7.5
"""Score of FFmpeg's `scdet` (0 to 100) above which a picture begins a shot. FFmpeg's default, 10, misses cuts between
two people in the same room."""

SHORTEST = 4
"""Number of pictures of the shortest shot: a high score right after a cut is the end of a dissolve, or a flash."""

SUFFIXES = {".mkv", ".mp4", ".mov", ".webm", ".avi"}


@dataclass(frozen=True)
class ClipPicture:
    """A picture of a clip."""

    pixels: Pixels
    """(SIDE, SIDE, 3)."""
    cut: bool
    """Whether the picture begins a shot; False for the first picture of a clip."""


def most(good: Iterable[bool]) -> bool:
    """Return whether `good` is true of three clips in four: any collection may have a clip of flashes and fights."""
    laws = list(good)
    return 4 * sum(laws) >= 3 * len(laws)


def clips(folder: Path) -> list[Path]:
    """Return the video files of a folder, sorted by name. Raises Unavailable for a folder without video files."""
    found = sorted(file for file in folder.glob("*") if file.suffix.lower() in SUFFIXES)
    if not found:
        raise Unavailable(
            f"no video files in {folder}; give a folder with clips: sdstream bench constants --clips FOLDER"
        )
    return found


def pictures(clip: Path, limit: int) -> Iterator[ClipPicture]:
    """Yield up to `limit` pictures of a clip. Raises Unavailable if the file cannot be read."""
    try:
        with av.open(str(clip)) as file:
            graph, length = _graph(file.streams.video[0]), 0  # pictures of the present shot so far
            for frame in islice(file.decode(video=0), limit):
                graph.push(frame)
                filtered = graph.pull()
                cut = length >= SHORTEST and float(filtered.metadata["lavfi.scd.score"]) > CUT_SCORE
                length = 1 if cut else length + 1
                yield ClipPicture(np.ascontiguousarray(filtered.to_ndarray()), cut)
    except av.FFmpegError as error:
        raise Unavailable(f"cannot read {clip}: {error.strerror}; try: ffprobe {clip}") from error


def _graph(video: av.VideoStream) -> av.filter.Graph:
    """Return the filters: the score on the whole picture, then the middle square."""
    graph = av.filter.Graph()
    steps = [
        graph.add_buffer(template=video),
        graph.add("scdet"),
        graph.add("crop", "min(iw\\,ih):min(iw\\,ih)"),
        graph.add("scale", f"{SIDE}:{SIDE}:flags=area"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*steps).configure()
    return graph
