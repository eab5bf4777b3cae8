"""Sends a show to an RTMP server or a file, at a constant rate: the number of a picture gives the timestamp.

With PyAV 18, connecting to a silent server holds the interpreter lock and ignores the timeout. So `reach` looks first
whether the server talks. If the server turns silent afterwards, the supervisor misses the heartbeat and replaces the
process. PyAV 19 stops after `timeout`.
"""

import re
import time
from pathlib import Path
from typing import Self

from sdstream.config.outputs import EncodingSink
from sdstream.errors import Forbidden, Lost, SdstreamError, Unavailable
from sdstream.frame import Frame, Samples
from sdstream.log import get_logger
from sdstream.redact import mask_url, redact
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.encoded_show import EncodedShow, Packets
from sdstream.sinks.outlet import Outlet
from sdstream.sinks.output_container import open_container
from sdstream.sinks.output_errors import OPENING, output_errors
from sdstream.sinks.recording.file_name import file_of
from sdstream.sinks.recording.recording import Recording
from sdstream.sinks.server.reach import reach
from sdstream.sinks.server.said import ffmpeg_lines
from sdstream.sinks.server.srt import SrtOutlet
from sdstream.sinks.uplink import Uplink
from sdstream.system.certificates import default_ca_file

_ROOM = 10.0
"""Seconds of show for which a full disk must have room again, before a recording begins anew."""
_TWITCH = re.compile(r"rtmps?://[^/]*\b(twitch\.tv|live-video\.net)[:/]", re.IGNORECASE)


class FfmpegSink:
    """A server or file, and a recording beside a server. Errors are raised, and the stage opens a new sink.

    A lost server is an error, except beside a recording (see `Uplink`). A failed recording is an error, except beside a
    server: the recording ends, and the log says why.
    """

    def __init__(self, chosen: EncodingSink, context: SinkContext) -> None:
        """With `context.reopened`, a disk may be full of what this run has written before."""
        settings = chosen.in_full()
        self._settings, self._canvas = settings, context.canvas
        self._url = settings.url.get_secret_value()
        self._name = mask_url(self._url)
        self._reopened = context.reopened
        self._room = round(settings.bitrate / 8 * _ROOM) if context.reopened else 0
        self._show: EncodedShow | None = None
        self._server: Outlet | None = None
        self._uplink: Uplink | None = None
        self._recording: Recording | None = None

    def __enter__(self) -> Self:
        """Connect to the server, or make the file. Beside a recording, the connection may come later.

        Raises Lost when the server is absent or refuses the connection, Unavailable when an encoder is missing or a
        file cannot be made, Forbidden when the file may not be written, ConfigError for a format unknown to FFmpeg.
        """
        self._show = EncodedShow(self._settings, self._canvas, self._name)
        if self._settings.codec != "h264" and _TWITCH.match(self._url):
            advice = "write codec: h264 if Twitch shows no picture"
            get_logger().warning("Twitch takes this codec from few accounts", codec=self._settings.codec, advice=advice)
        file, record = file_of(self._url), self._settings.record
        if file is not None:
            self._recording = Recording(file, self._show, self._settings.format, self._room)
        elif record is not None:
            self._recording = self._record_beside(Path(record).expanduser(), self._show)
            self._uplink = Uplink(self._connect, self._url)
        else:
            self._server = self._connect()
        get_logger().info("output open", url=self._name, encoder=self._show.encoder)
        return self

    def __exit__(self, *exc: object) -> None:
        """Write the packets left in the encoders, and close. After a failure, only close."""
        show, self._show = self._show, None
        if show is None:
            return
        rest = [] if any(exc) else show.rest()
        if self._uplink is not None:
            self._uplink.close(rest)
        if self._server is not None:
            self._close_server(self._server, rest, whole=not any(exc))
        if self._recording is not None:
            self._close_recording(self._recording, rest, whole=not any(exc))

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Encode picture and sound, and send the packets of a slightly older picture."""
        assert self._show is not None
        packets = self._show.encode(frame, sound, due)
        if self._server is not None:
            with output_errors(self._url, "was lost"):
                self._server.put(packets)
        if self._uplink is not None:
            self._uplink.put(packets, time.monotonic())
        if self._recording is not None:
            self._record(self._recording, packets)

    def facts(self) -> dict[str, float]:
        """Return whether the server is connected, how often the server was reached, and whether a file is written.

        Only beside a recording a server may be away; a sink without a server counts as connected once.
        """
        up = self._uplink
        return {
            "connected": float(up.connected if up is not None else True),
            "connects": float(up.connects if up is not None else 1),
            "recording": float(self._recording is not None),
        }

    def _record_beside(self, file: Path, show: EncodedShow) -> Recording | None:
        """Return the recording; None if the disk is full and the stream has been on air, because the stream goes on."""
        try:
            return Recording(file, show, None, self._room)
        except (Unavailable, Forbidden) as error:
            if not self._reopened:
                raise
            get_logger().error("no recording; the stream goes on", file=str(file), reason=str(error))
            return None

    def _connect(self) -> Outlet:
        assert self._show is not None
        if self._url.startswith("srt:"):
            return SrtOutlet.connect(self._url, self._show, self._settings.timeout)
        said: list[str] = []
        try:
            reach(self._url, self._settings.timeout, self._settings.ca_file or default_ca_file())
        except Lost as error:
            raise Lost(f"output {self._name} {OPENING}: {redact(str(error), self._url)}") from None
        with output_errors(self._url, OPENING, said), ffmpeg_lines(said):
            outlet = Outlet(open_container(self._url, self._settings), self._show)
            outlet.open()
        return outlet

    def _record(self, recording: Recording, packets: Packets) -> None:
        try:
            recording.put(packets)
        except SdstreamError as error:
            if self._uplink is None:
                raise
            self._recording = None
            recording.close(whole=False)
            get_logger().error("recording ended; the stream goes on", file=str(recording.path), reason=str(error))

    def _close_server(self, server: Outlet, rest: Packets, *, whole: bool) -> None:
        try:
            with output_errors(self._url, "failed at its end"):
                server.put(rest)
                server.close()
        except SdstreamError:
            if whole:  # else an earlier error is being raised already
                raise

    def _close_recording(self, recording: Recording, rest: Packets, *, whole: bool) -> None:
        if whole:
            self._record(recording, rest)
        if self._recording is not None:
            recording.close(whole=whole)
        self._recording = None
