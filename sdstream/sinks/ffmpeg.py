"""Sends H.264 and AAC to an RTMP server or a file, at a constant rate: the number of a picture gives the timestamp.

With PyAV 18, connecting to a silent server holds the interpreter lock and ignores the timeout; the supervisor misses
the heartbeat and replaces the process. PyAV 19 stops after `timeout`.
"""

import contextlib
import math
from collections import deque
from pathlib import Path
from typing import Self

import av
from av.container import OutputContainer

from sdstream.config.sinks import FfmpegSinkSettings
from sdstream.frame import SAMPLE_RATE, Frame, Samples
from sdstream.log import get_logger
from sdstream.redact import mask_url
from sdstream.sinks import STAMPED_EARLY, Due, encoders
from sdstream.sinks.context import SinkContext
from sdstream.sinks.output_container import add_streams, open_container
from sdstream.sinks.output_errors import output_errors
from sdstream.sinks.recording_file import make_recording, remove_if_empty
from sdstream.sinks.sound_track import SoundTrack
from sdstream.sinks.yuv import Yuv420, as_av_frame

# Samples from the newest input of the AAC encoder back to the start of the newest packet: an AAC frame each for the
# input buffer, the look-ahead, the priming and the packet.
_AAC_DELAY = 4 * 1024


class FfmpegSink:
    """A server or file. The sink never reopens: errors are raised, and the stage opens a new sink with a key frame."""

    def __init__(self, settings: FfmpegSinkSettings, context: SinkContext) -> None:
        """With `context.reopened`, a file of this name may come from this run, so a free number is added."""
        canvas, self._reopened = context.canvas, context.reopened
        self._settings = settings
        self._canvas = canvas
        self._url = settings.url.get_secret_value()
        self._file: Path | None = None
        self._convert = Yuv420(canvas.width, canvas.height, "i420")
        self._planes = self._convert.empty()
        self._first: int | None = None
        self._early = STAMPED_EARLY
        self._held: deque[list[av.Packet[av.VideoStream]]] = deque()
        self._hold = math.ceil((self._early + _AAC_DELAY) / SAMPLE_RATE * canvas.rate - 1)
        self._container: OutputContainer | None = None

    def __enter__(self) -> Self:
        """Connect to the server, or make the file.

        Raises Lost when the server is absent or refuses the connection, Unavailable when an encoder is missing or the
        file exists, Forbidden when the file may not be written, ConfigError for a format unknown to FFmpeg.
        """
        encoder = encoders.choose(self._settings.encoder)
        if "://" not in self._url:
            self._file = make_recording(Path(self._url), reopened=self._reopened)
            self._url = str(self._file)
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove_empty_file)
            self._container = open_container(self._url, self._settings)
            self._video, audio = add_streams(self._container, encoder, self._settings, self._canvas)
            self._sound = SoundTrack(audio, self._canvas.rate, self._early, mask_url(self._url))
            with output_errors(self._url, "cannot be opened"):
                self._container.start_encoding()  # connects, so that a wrong key fails before the first picture
            undo.pop_all()
        get_logger().info("output open", url=mask_url(self._url), encoder=encoder)
        return self

    def __exit__(self, *exc: object) -> None:
        """Write the packets left in the encoders, and close. After a failure, only close."""
        container, self._container = self._container, None
        if container is None:
            return
        if not any(exc):
            with output_errors(self._url, "failed at its end"):
                container.mux(self._sound.flush())
                for packets in (*self._held, self._video.encode(None)):
                    container.mux(packets)
                container.close()
        else:
            with contextlib.suppress(av.FFmpegError):  # an earlier error is being raised already
                container.close()
            self._remove_empty_file()

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Encode picture and sound, and send the packets of a slightly older picture.

        FFmpeg holds a picture until later sound arrives, and then sends all held pictures in a burst; a receiver of
        the newest picture only would drop most of the burst. So pictures wait here until the sound of the same time
        is encoded, and every tick sends a single picture.
        """
        assert self._container is not None
        self._convert.convert(frame.pixels, self._planes)
        picture = as_av_frame(self._planes, self._canvas.height)
        self._first = due.index if self._first is None else self._first
        picture.pts = due.index - self._first
        picture.time_base = 1 / self._canvas.rate
        with output_errors(self._url, "was lost"):
            self._container.mux(self._sound.encode(sound, picture.pts))
            self._held.append(self._video.encode(picture))
            if len(self._held) > self._hold:
                self._container.mux(self._held.popleft())

    def facts(self) -> dict[str, float]:
        """Return no facts: an RTMP server does not report viewers."""
        return {}

    def _remove_empty_file(self) -> None:
        if self._file is not None:
            remove_if_empty(self._file)
