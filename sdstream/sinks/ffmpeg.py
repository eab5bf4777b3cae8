"""H.264 and AAC to an RTMP server, or to a file, at a constant rate: a picture's time is its number.

With PyAV 18 a connect to a silent server holds the interpreter lock and heeds no timeout; the supervisor sees no
sign of life and replaces the process. PyAV 19 gives up by itself after `timeout`.
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

_AAC_DELAY = 4 * 1024  # samples by which the start of its newest packet may be behind what it was given: a frame that
# fills, one that it looks ahead, one that it puts in front, and the packet itself


class FfmpegSink:
    """One server or file. It never reopens by itself: it raises, and the stage starts anew with a key frame."""

    def __init__(self, settings: FfmpegSinkSettings, context: SinkContext) -> None:
        """With `context.again`, a file of this name is this run's own, left by a process that is gone."""
        canvas, self._again = context.canvas, context.again
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
        """Connect, or make the file.

        Raises Lost when the server is not there or sends us away, Unavailable when an encoder is missing or the
        file exists, Forbidden when the file may not be written, ConfigError for a format that FFmpeg does not know.
        """
        encoder = encoders.choose(self._settings.encoder)
        if "://" not in self._url:
            self._file = make_recording(Path(self._url), again=self._again)
            self._url = str(self._file)
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove_empty_file)
            self._container = open_container(self._url, self._settings)
            self._video, audio = add_streams(self._container, encoder, self._settings, self._canvas)
            self._sound = SoundTrack(audio, self._canvas.rate, self._early, mask_url(self._url))
            with output_errors(self._url, "cannot be opened"):
                self._container.start_encoding()  # connects: a wrong key shall fail here, not at the first picture
            undo.pop_all()
        get_logger().info("output open", url=mask_url(self._url), encoder=encoder)
        return self

    def __exit__(self, *exc: object) -> None:
        """Write what the encoders still hold, and close. After a failure, only close."""
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
            with contextlib.suppress(av.FFmpegError):  # the reason is on its way up already
                container.close()
            self._remove_empty_file()

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Encode and send.

        FFmpeg holds a picture until it has seen later sound, and then sends what it held in one burst, of which a
        receiver that wants the newest drops all but one. So pictures are held here until their sound is there for
        sure, and leave one a tick.
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
        """Know nothing: a server tells nothing of its viewers."""
        return {}

    def _remove_empty_file(self) -> None:
        if self._file is not None:
            remove_if_empty(self._file)
