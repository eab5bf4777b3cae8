"""The show for players on this machine: http://127.0.0.1:8401/show.ts, with sound, for OBS as a Media Source."""

import hmac
import time
from typing import Self

from sdstream.config.outputs import FfmpegSinkSettings
from sdstream.config.sinks import ServeSinkSettings
from sdstream.frame import Frame, Samples
from sdstream.log import get_logger
from sdstream.sinks import Due
from sdstream.sinks.context import SinkContext
from sdstream.sinks.encoded_show import EncodedShow
from sdstream.sinks.serve.stream import TransportStream
from sdstream.sinks.serve.viewer import Gone, Viewer
from sdstream.system.endpoint import Endpoint
from sdstream.system.listening import is_address, listen_at

NAME = "show.ts"
"""The last part of the address."""


def listing() -> list[Endpoint]:
    """Return the stream at the default address."""
    settings = {"kind": "serve", "listen": "127.0.0.1:8401"}
    return [Endpoint("stream for OBS and players", "", settings, "for programs on this machine")]


class ServeSink:
    """Serves several viewers; a viewer that stalls is left behind, and the rest do not notice."""

    def __init__(self, settings: ServeSinkSettings, context: SinkContext) -> None:
        self._settings, self._canvas = settings, context.canvas
        key = settings.key.get_secret_value() if settings.key else ""
        self._path = f"/{key}/{NAME}" if key else f"/{NAME}"
        self._viewers: list[Viewer] = []
        self._left_behind = self._port = 0

    def __enter__(self) -> Self:
        """Listen. Raises Unavailable when the port is taken or no encoder works, Forbidden for a privileged port."""
        shared = {name: getattr(self._settings, name) for name in _SHARED}  # each of our own fields
        wanted = FfmpegSinkSettings.model_validate({"kind": "ffmpeg", "url": NAME, **shared})
        self._show = EncodedShow(wanted, self._canvas, NAME)
        self._stream = TransportStream(self._show)
        self._listener = listen_at(self._settings.listen, "the listen of serve")
        self._listener.setblocking(False)
        self._port = int(self._listener.getsockname()[1])
        host = self._settings.listen.rpartition(":")[0]
        path = "/KEY/" if self._settings.key else "/"
        get_logger().info("stream open for players", url=f"http://{host}:{self._port}{path}{NAME}")
        return self

    def __exit__(self, *exc: object) -> None:
        """Close all connections."""
        self._listener.close()
        for viewer in self._viewers:
            viewer.close()
        self._viewers.clear()

    def send(self, frame: Frame, sound: Samples, due: Due) -> None:
        """Encode picture and sound, and send the bytes to each viewer that keeps up."""
        data = self._stream.bytes_of(self._show.encode(frame, sound, due))
        now = time.monotonic()
        self._admit(now)
        for viewer in tuple(self._viewers):
            behind = viewer.left_behind
            try:
                viewer.serve(data, now)
            except Gone:
                viewer.close()
                self._viewers.remove(viewer)
            self._left_behind += viewer.left_behind - behind

    def facts(self) -> dict[str, float]:
        """Return the number of viewers, how often one was too slow, and the port."""
        watching = sum(viewer.watching for viewer in self._viewers)
        return {"connections": float(watching), "left_behind": float(self._left_behind), "port": float(self._port)}

    def _admit(self, now: float) -> None:
        for _ in range(self._settings.viewers):  # bounded, so that a flood of connections delays no picture
            try:
                connection, _ = self._listener.accept()
            except OSError:  # nobody waits, or somebody left: the next call tries again
                return
            if len(self._viewers) >= self._settings.viewers:
                idle = next((viewer for viewer in self._viewers if not viewer.watching), None)
                if idle is None:
                    connection.close()
                    continue
                idle.close()
                self._viewers.remove(idle)
            self._viewers.append(Viewer(connection, self._refusal, now))

    def _refusal(self, path: str, host: str) -> str:
        if self._settings.key is None and not is_address(host):
            return "403 Forbidden"  # by DNS rebinding, a web site may point a host name at our address
        asked, wanted = path.partition("?")[0].encode("latin-1"), self._path.encode("latin-1")
        return "" if hmac.compare_digest(asked, wanted) else "404 Not Found"


_SHARED = ("codec", "encoder", "preset", "bitrate", "audio_bitrate", "keyframe_interval")
