"""The OSC surface: datagrams in, and each change of a control out."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from pythonosc.osc_message_builder import ArgValue, OscMessageBuilder

from sdstream.config.on_air.patch import names, related
from sdstream.config.surfaces import OscSettings
from sdstream.control.rate_limit import RateLimit
from sdstream.control.surfaces.hands import Hands
from sdstream.control.surfaces.osc_datagram import LARGEST, Argument, Malformed, messages
from sdstream.controls import Controls
from sdstream.controls.knobs import address_of, knob_of, name_of
from sdstream.log import get_logger

MESSAGES_A_SECOND = 1_000.0
"""Datagrams of one sender that are read; the rest is dropped unread."""
PRESET, TAP = "/preset", "/tap"
"""Addresses beside the controls: a preset's name, with seconds of the crossfade; a beat."""
_TELL_EVERY = 10.0  # seconds between two log lines of refused datagrams


class OscServer(asyncio.DatagramProtocol):
    """Takes datagrams of allowed senders, and never answers: a datagram's sender address may be forged."""

    def __init__(self, settings: OscSettings, hands: Hands, controls: Callable[[], Controls]) -> None:
        self._settings, self._hands, self._controls = settings, hands, controls
        self._rate = RateLimit(MESSAGES_A_SECOND)
        self._senders = {ip_address(sender) for sender in settings.senders}
        self._told = float("-inf")
        self._refused = 0

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Take the messages of a datagram."""
        now = asyncio.get_running_loop().time()
        sender = ip_address(str(addr[0]).partition("%")[0])
        allowed = sender in self._senders if self._senders else sender.is_loopback
        if not allowed or self._rate.wait(str(sender), now) > 0:
            self._refused += 1
            return
        try:
            for address, arguments in messages(data):
                self._take(address, arguments, now)
        except ValueError as error:
            self._refuse(str(error), now)

    def error_received(self, exc: Exception) -> None:
        """Ignore that nobody listens where changes are sent to."""

    def _take(self, address: str, arguments: list[Argument], now: float) -> None:
        """Raises ValueError for an unknown address, and for a value that the control does not take."""
        if address == TAP:
            self._hands.beat.tap(now)
        elif address == PRESET:
            self._recall(arguments, now)
        else:
            self._turn(address, arguments, now)

    def _recall(self, arguments: list[Argument], now: float) -> None:
        match arguments:
            case [str(name)] | [str(name), int() | float()] if self._settings.presets:
                seconds = float(arguments[1] or 0) if len(arguments) > 1 else 0.0
                if 0 <= seconds <= MOST_SECONDS:
                    self._hands.recall(name, seconds, "osc", now)
                    return
        raise Malformed(f"{PRESET} takes a name, and seconds from 0 to {MOST_SECONDS:g}, where control.osc.presets is")

    def _turn(self, address: str, arguments: list[Argument], now: float) -> None:
        name = name_of(address)
        knob = knob_of(name)
        if knob is None or not is_open(self._settings, name):
            raise Malformed(f"no control at {address[:64]}; see /osc on the control server, and control.osc.controls")
        if len(arguments) != 1:
            raise Malformed(f"{address} takes one value, {knob.takes}")
        self._hands.turn(knob, arguments[0], self._controls().model_dump(mode="json"), "osc", now)

    def _refuse(self, why: str, now: float) -> None:
        self._refused += 1
        if now - self._told >= _TELL_EVERY:
            self._told = now
            get_logger().warning("OSC refused", reason=why, refused=self._refused)


class OscSender:
    """Sends each change of an open control to the listeners of the settings, with the same address."""

    def __init__(self, settings: OscSettings) -> None:
        self._settings = settings
        self._sent: dict[str, Any] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def close(self) -> None:
        """Close the socket; closing twice is harmless."""
        self._socket.close()

    def send(self, controls: Controls) -> None:
        """Send what has changed since the last call."""
        flat = {
            name: value
            for name, value in names(controls.model_dump(mode="json")).items()
            if is_open(self._settings, name) and isinstance(value, int | float | str)
        }
        for name, value in flat.items():
            if self._sent.get(name, self) != value:
                self._send(address_of(name), value)
        self._sent = flat

    def _send(self, address: str, value: ArgValue) -> None:
        builder = OscMessageBuilder(address)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**31:
            builder.add_arg(value, OscMessageBuilder.ARG_TYPE_INT64)
        else:
            builder.add_arg(value)
        data = builder.build().dgram
        for to in self._settings.to if len(data) <= LARGEST else ():
            host, _, port = to.rpartition(":")
            try:
                self._socket.sendto(data, (host, int(port)))
            except (BlockingIOError, ConnectionRefusedError, OSError):  # the next change is sent all the same
                continue


MOST_SECONDS = 3_600.0
"""Seconds of a crossfade at most."""


def is_open(settings: OscSettings, name: str) -> bool:
    """Tell whether OSC may change a control: the settings list the control, or the section of the control."""
    return any(related(open_, name) and len(open_) <= len(name) for open_ in settings.controls)
