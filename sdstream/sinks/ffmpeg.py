"""H.264 and AAC to an RTMP server, or to a file, at a constant rate: a picture's time is its number.

With PyAV 18 a connect to a silent server holds the interpreter lock and heeds no timeout; the supervisor sees no
sign of life and replaces the process. PyAV 19 gives up by itself after `timeout`.
"""

import contextlib
import itertools
import math
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.container import OutputContainer

from sdstream.config.schema import Canvas
from sdstream.config.sinks import FfmpegSinkSettings
from sdstream.errors import ConfigError, Forbidden, Lost, SdstreamError, Unavailable
from sdstream.frame import SAMPLE_RATE, Frame, Samples
from sdstream.log import get_logger
from sdstream.redact import mask_url, redact
from sdstream.sinks import Due, early_samples, encoders
from sdstream.sinks.yuv import Yuv420, as_av_frame
from sdstream.system.certificates import default_ca_file

_GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: FLV carries the parameter sets in its header
_SAMPLE = Fraction(1, SAMPLE_RATE)
_AAC_DELAY = 4 * 1024  # samples by which the start of its newest packet may be behind what it was given: a frame that
# fills, one that it looks ahead, one that it puts in front, and the packet itself
_LONGEST_GAP = 10.0  # seconds that may be left out within one file or connection


class FfmpegSink:
    """One server or file. It never reopens by itself: it raises, and the stage starts anew with a key frame."""

    def __init__(self, settings: FfmpegSinkSettings, canvas: Canvas, *, again: bool = False) -> None:
        """`again`: a file of this name is this run's own, left by a process that is gone."""
        self._again = again
        self._settings = settings
        self._canvas = canvas
        self._url = settings.url.get_secret_value()
        self._live = "://" in self._url
        self._convert = Yuv420(canvas.width, canvas.height, "i420")
        self._planes = self._convert.empty()
        self._first: int | None = None
        self._early = early_samples("ffmpeg")
        self._held: deque[list[av.Packet[av.VideoStream]]] = deque()
        self._hold = math.ceil((self._early + _AAC_DELAY) / SAMPLE_RATE * canvas.rate - 1)
        self._samples = -self._early  # what belongs before the first picture is dropped
        self._container: OutputContainer | None = None

    def __enter__(self) -> Self:
        """Connect, or make the file.

        Raises Lost when the server is not there or sends us away, Unavailable when an encoder is missing or the
        file exists, Forbidden when the file may not be written, ConfigError for a format that FFmpeg does not know.
        """
        encoder = encoders.choose(self._settings.encoder)
        if not self._live:
            self._url = self._make_file()
        with contextlib.ExitStack() as undo:
            undo.callback(self._remove_empty_file)
            self._container = self._open()
            self._add_streams(self._container, encoder)
            with self._told("cannot be opened"):
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
            with self._told("failed at its end"):
                container.mux(self._audio.encode(None))
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
        with self._told("was lost"):
            self._container.mux(self._sound(self._padded(sound, picture.pts)))
            self._held.append(self._video.encode(picture))
            if len(self._held) > self._hold:
                self._container.mux(self._held.popleft())

    def facts(self) -> dict[str, float]:
        """Know nothing: a server tells nothing of its viewers."""
        return {}

    def _make_file(self) -> str:
        """Make the file that was asked for, or after a restart the next number of it (show-2.mkv), and return it.

        Another output may be given the same name at the same moment, so it is made here and now.
        """
        wanted = Path(self._url)
        for number in itertools.count(1):
            path = wanted if number == 1 else wanted.with_stem(f"{wanted.stem}-{number}")
            try:
                path.touch(exist_ok=False)
                break
            except FileExistsError as error:
                if not self._again:
                    raise Unavailable(
                        f"{wanted} exists and is not overwritten; move it away, or name another file"
                    ) from error
            except OSError as error:
                kind = Forbidden if isinstance(error, PermissionError) else Unavailable
                raise kind(f"output {path} cannot be opened: {error.strerror}; {self._advice(error)}") from error
        return str(path)

    def _remove_empty_file(self) -> None:
        """Leave no empty files behind: with a full disk there would be one for each try."""
        if not self._live:
            with contextlib.suppress(OSError):
                if not Path(self._url).stat().st_size:
                    Path(self._url).unlink()

    def _open(self) -> OutputContainer:
        settings = self._settings
        rtmp = self._url.startswith("rtmp")
        wanted = settings.format or ("flv" if rtmp else None)
        try:
            return av.open(
                self._url,
                "w",
                format=wanted,
                container_options=self._container_options(),
                timeout=(settings.timeout, settings.timeout),
            )
        except ValueError as error:  # by name or by file name
            reason = wanted or f"for {mask_url(self._url)}"
            raise ConfigError(
                f"sinks: format: FFmpeg has no output format {reason}; expected one such as flv, mp4 or matroska"
            ) from error

    def _container_options(self) -> dict[str, str]:
        """Return what the format and the protocol are told."""
        if not self._live:
            return {}
        chosen = {"flvflags": "no_duration_filesize", "tcp_nodelay": "1"}
        if self._url.startswith(("rtmps:", "rtmpts:", "https:")):
            authorities = self._settings.ca_file or default_ca_file()
            if authorities is None:
                raise Unavailable(
                    "no file with certificate authorities was found; expected one in `ca_file`, "
                    "or the ca-certificates package: sudo apt install ca-certificates"
                )
            chosen |= {"ca_file": str(authorities), "tls_verify": "1"}
            if int(av.__version__.partition(".")[0]) < 19:  # it opens outputs without their options
                get_logger().warning("server's certificate is not checked", needs="PyAV 19, on Python 3.12 or later")
        return chosen

    def _add_streams(self, container: OutputContainer, encoder: str) -> None:
        """Open both encoders before the server is asked: what they refuse is our settings' fault, not its."""
        try:
            self._video = self._add_video(container, encoder)
            self._audio = self._add_audio(container)
        except (av.FFmpegError, ValueError) as error:  # ValueError: the format cannot hold this codec
            raise ConfigError(
                f"sinks: {encoder} or aac refuses these settings ({error}); expected a format such as flv, mp4 or "
                "matroska, a preset that the encoder knows, and bit rates that fit the canvas"
            ) from error

    def _add_video(self, container: OutputContainer, encoder: str) -> av.VideoStream:
        canvas, settings = self._canvas, self._settings
        interval = max(1, round(settings.keyframe_interval * canvas.rate))
        wanted = encoders.options(encoder, settings, interval)
        video = container.add_stream(encoder, rate=canvas.rate, options=wanted)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = canvas.width, canvas.height, "yuv420p"
        context = video.codec_context
        context.time_base = 1 / canvas.rate
        context.bit_rate = settings.bitrate
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709; untagged is read as 601
        context.color_range = 1  # limited
        context.flags |= _GLOBAL_HEADER
        context.open()
        return video

    def _add_audio(self, container: OutputContainer) -> av.AudioStream:
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        assert isinstance(audio, av.AudioStream)
        audio.codec_context.bit_rate = self._settings.audio_bitrate
        audio.codec_context.flags |= _GLOBAL_HEADER
        audio.codec_context.open()
        return audio

    def _padded(self, sound: Samples, number: int) -> Samples:
        """Put silence in front of `sound` for pictures that were left out, so that it keeps its place.

        Raises Lost when that would be long: the machine slept, or the process was stopped. A new start is better.
        """
        due = int(number * SAMPLE_RATE / self._canvas.rate) - self._early
        gap = due - self._samples
        if gap > _LONGEST_GAP * SAMPLE_RATE:
            raise Lost(f"output {mask_url(self._url)} was held up for {gap / SAMPLE_RATE:.0f} s; it begins anew")
        return np.concatenate((np.zeros((gap, 2), np.float32), sound)) if gap > 1 else sound

    def _sound(self, sound: Samples) -> list["av.Packet[av.AudioStream]"]:
        """Encode one block of sound; what belongs before the first picture is dropped."""
        early, self._samples = min(len(sound), max(0, -self._samples)), self._samples + len(sound)
        if early == len(sound):
            return []
        planes = np.ascontiguousarray(sound[early:].T)
        block = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
        block.sample_rate = SAMPLE_RATE
        block.time_base = _SAMPLE
        block.pts = self._samples - planes.shape[1]
        return self._audio.encode(block)

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn FFmpeg's errors into ours. The cause is not chained: its text may hold the stream key."""
        try:
            yield
        except av.FFmpegError as error:
            reason = redact(str(error), self._url)
            raise self._named(error)(f"output {mask_url(self._url)} {what}: {reason}; {self._advice(error)}") from None

    def _named(self, error: av.FFmpegError) -> type[SdstreamError]:
        if self._live:
            return Lost
        return Forbidden if isinstance(error, PermissionError) else Unavailable

    def _advice(self, error: Exception) -> str:
        if not self._live:
            return "expected a folder that exists, may be written to and has room"
        if isinstance(error, ConnectionRefusedError):
            return "expected a server that listens there"
        return "expected a server that is up and knows this stream key, used by nobody else"
