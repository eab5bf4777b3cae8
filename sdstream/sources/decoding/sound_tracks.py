"""Chooses among the audio tracks of an open container; the choice may change at any packet."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sdstream.log import get_logger

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer


class SoundTracks:
    """The audio tracks that can be decoded, and the wish for a track."""

    def __init__(self, container: "InputContainer", wish: Callable[[], int | None]) -> None:
        """`wish` returns the number of the wanted track, counted from 0; None is the first track."""
        self.tracks: list[AudioStream] = [track for track in container.streams.audio if track.codec_context is not None]
        self._wish = wish
        self._told: int | None = None

    def chosen(self) -> "AudioStream | None":
        """Return the wanted track; the first track if there are fewer, and None without any."""
        if not self.tracks:
            return None
        wish = self._wish() or 0
        if wish < len(self.tracks):
            self._told = None
            return self.tracks[wish]
        if self._told != wish:
            get_logger().warning("the source has no such audio track", wanted=wish, tracks=len(self.tracks), heard=0)
            self._told = wish
        return self.tracks[0]
