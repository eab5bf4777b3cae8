"""Runs the surfaces beside the HTTP server, in the same event loop."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sdstream.config.surfaces import OscSettings
from sdstream.control.desk import Desk
from sdstream.control.ports import ServerPorts
from sdstream.control.supervisor import Busy, Supervisor
from sdstream.control.surfaces.hands import PATCHES_A_SECOND, Hands
from sdstream.control.surfaces.midi import Midi
from sdstream.control.surfaces.midi_bindings import Bindings
from sdstream.control.surfaces.midi_device import follow
from sdstream.control.surfaces.modulation import Follower
from sdstream.control.surfaces.osc import OscSender, OscServer
from sdstream.controls import Controls
from sdstream.errors import reason
from sdstream.log import get_logger
from sdstream.system.user_folders import state_folder

_BEATS = {"off": 0, "beat": 1, "bar": 4}
_TRY_EVERY = 5.0  # seconds between two tries to listen
_REFUSED_FOR = 5.0  # seconds for which a refused control follows no sound


class Surfaces:
    """OSC, MIDI and modulation of a run, for a single event loop."""

    def __init__(self, ports: ServerPorts, supervisor: Supervisor, desk: Desk) -> None:
        """Raises Unavailable for a file of MIDI bindings that cannot be read."""
        settings = ports.settings
        self._ports, self._supervisor, self._desk = ports, supervisor, desk
        self.hands = Hands(_BEATS[settings.quantise])
        self._followers = [Follower(each) for each in settings.modulation]
        self._silent: dict[str, float] = {}
        self.midi: Midi | None = None
        if settings.midi is not None:
            learned = settings.midi.learned
            path = Path(learned) if learned else state_folder() / "midi.json"
            self.midi = Midi(Bindings(path), self.hands, self._controls)

    def _controls(self) -> Controls:
        return self._supervisor.controls[1]

    async def run(self) -> None:
        """Take values and patch controls until cancelled."""
        settings = self._ports.settings
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            sender = None
            if settings.osc is not None:
                server = OscServer(settings.osc, self.hands, self._controls)
                stack.callback(asyncio.create_task(_listen(settings.osc, server)).cancel)
                sender = OscSender(settings.osc)
                stack.callback(sender.close)
            if settings.midi is not None and self.midi is not None:
                midi = self.midi
                device = follow(settings.midi.port, lambda message: midi.take(message, loop.time()))
                stack.callback(asyncio.create_task(device).cancel)
            await self._patch_on(sender)

    async def _patch_on(self, sender: OscSender | None) -> None:
        loop, version = asyncio.get_running_loop(), 0
        while True:
            try:
                await self._patch(loop.time())
            except Busy as busy:
                get_logger().warning("a surface was not heard", reason=str(busy))
            if sender is not None and self._supervisor.controls[0] != version:
                version, controls = self._supervisor.controls
                sender.send(controls)
            await asyncio.sleep(1 / PATCHES_A_SECOND)

    async def _patch(self, now: float) -> None:
        preset = self.hands.preset_due(now)
        if preset is not None and preset[0] in self._desk.presets.all:
            await self._desk.recall(*preset)
        elif preset is not None:
            get_logger().warning("no such preset", name=preset[0])
        changes = self.hands.due(now)
        heard: dict[str, Any] = {}
        for follower in self._followers:
            if self._silent.get(follower.control, 0.0) <= now:
                heard |= follower.at(self._ports.ring, now)
        if heard:
            changes["sound"] = heard
        for by, values in changes.items():
            verdict = await self._desk.patch(values, by)
            for refused in verdict.get("refused", ()):
                if by == "sound":
                    self._silent[refused["name"]] = now + _REFUSED_FOR


async def _listen(settings: OscSettings, server: OscServer) -> None:
    """Listen until cancelled; a taken port is tried again, and the rest of the control server does not wait."""
    host, _, port = settings.listen.rpartition(":")
    address = ("127.0.0.1" if host.lower() == "localhost" else host.strip("[]"), int(port))
    told = False
    while True:
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, local_addr=address)
        except OSError as error:
            if not told:
                told = True
                get_logger().error("OSC cannot listen", listen=settings.listen, reason=reason(error))
            await asyncio.sleep(_TRY_EVERY)
            continue
        try:
            get_logger().info("OSC open", listen=f"{address[0]}:{transport.get_extra_info('sockname')[1]}")
            await asyncio.get_running_loop().create_future()
        finally:
            transport.close()
