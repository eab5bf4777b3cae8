"""The server of a sink that also records: lost and found again while the recording goes on.

A sink without recording ends with its connection, and the supervisor starts a new process. A recording must outlive the
connection, and the encoder is shared, so this connection comes back inside the process. A thread connects, because
connecting waits for the network. `connect` must look first whether the server talks: PyAV 18 holds the interpreter
while a server is silent, and the recording would stop.
"""

import contextlib
import threading
from collections.abc import Callable

import av

from sdstream.errors import Lost, SdstreamError
from sdstream.log import get_logger
from sdstream.sinks.encoded_show import Packets
from sdstream.sinks.outlet import Outlet
from sdstream.sinks.output_errors import output_errors

PAUSES = (0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, … new try in a row."""
LOUD_AFTER = 5
"""Failed tries in a row after which the log says so as an error."""


class Uplink:
    """A server that may come and go; times are monotonic seconds."""

    def __init__(self, connect: Callable[[], Outlet], url: str) -> None:
        """`connect` returns an open outlet, and raises Lost; another error ends the sink at the next `put`."""
        self._connect, self._url = connect, url
        self._outlet: Outlet | None = None
        self._started = False
        self._failures, self._due = 0, 0.0
        self._result: Outlet | SdstreamError | None = None
        self._thread: threading.Thread | None = None
        self.connects = 0
        """How often the server was reached."""

    @property
    def connected(self) -> bool:
        """Whether the server takes packets."""
        return self._outlet is not None

    def put(self, packets: Packets, now: float) -> None:
        """Send packets, or look after the connection. Raises an error of `connect` that is not Lost."""
        if self._outlet is None:
            self._look_after(now)
        for packet in packets:
            if self._outlet is None:
                return
            if not self._started and not (packet.is_keyframe and isinstance(packet.stream, av.VideoStream)):
                continue  # a receiver can begin with a key frame only
            if not self._started:
                self._outlet.start_at(packet)
                self._started = True
            self._send([packet], now)

    def close(self, rest: Packets) -> None:
        """Send the last packets, and close; a server that is lost now is left alone."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            with contextlib.suppress(av.FFmpegError):
                if self._started:
                    outlet.put(rest)
                outlet.close()

    def _send(self, packets: Packets, now: float) -> None:
        assert self._outlet is not None
        try:
            with output_errors(self._url, "was lost"):
                self._outlet.put(packets)
        except Lost as error:
            outlet, self._outlet = self._outlet, None
            with contextlib.suppress(av.FFmpegError):
                outlet.close()
            self._failed(error, now)

    def _look_after(self, now: float) -> None:
        if self._thread is None and now >= self._due:
            self._thread = threading.Thread(target=self._try, name="uplink", daemon=True)
            self._thread.start()
        elif self._thread is not None and not self._thread.is_alive():
            self._thread = None
            self._take(now)

    def _take(self, now: float) -> None:
        result, self._result = self._result, None
        if isinstance(result, Lost):
            self._failed(result, now)
        elif isinstance(result, SdstreamError):
            raise result
        elif result is not None:
            self._outlet, self._started, self._failures = result, False, 0
            self.connects += 1
            get_logger().info("output connected", connects=self.connects)

    def _try(self) -> None:
        try:
            self._result = self._connect()
        except SdstreamError as error:
            self._result = error

    def _failed(self, error: Lost, now: float) -> None:
        self._due = now + PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        log = get_logger().error if self._failures == LOUD_AFTER else get_logger().warning
        log("output not connected; the recording goes on", tries=self._failures, reason=str(error))
