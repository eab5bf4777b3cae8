"""The way from a handler to the supervisor: a request at a time, each answered within a second, or refused."""

import asyncio
import itertools
import json
from typing import Any

from sdstream.control.ports import ServerPorts
from sdstream.controls import Controls
from sdstream.ipc.requests import Request

PATIENCE = 2.0
"""Seconds for the supervisor to answer."""


class Busy(Exception):
    """The supervisor does not answer in time; the client should try again."""


class Supervisor:
    """Asks the supervisor, and reads the state that the supervisor publishes; for a single event loop."""

    def __init__(self, ports: ServerPorts) -> None:
        self._ports = ports
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()

    @property
    def state(self) -> dict[str, Any]:
        """The newest state of the run; empty before the first."""
        return dict(json.loads(self._ports.state.get()[1]))

    @property
    def controls(self) -> tuple[int, Controls]:
        """The version of the controls in force, and the controls."""
        controls = self._ports.controls.get()
        return self._ports.controls.version, controls

    async def patch(self, changes: dict[str, Any], by: str) -> dict[str, Any]:
        """Change controls by dotted name; return version, refused names and remarks. Raises Busy."""
        return await self._ask("patch", {"changes": changes, "by": by})

    async def restart(self, part: str) -> dict[str, Any]:
        """Restart a part of the run by name; the answer has `error` for a name without a part. Raises Busy."""
        return await self._ask("restart", {"part": part})

    async def _ask(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._turn:
            request = Request(next(self._numbers), name, body)
            try:
                self._ports.requests.ask(request)
                async with asyncio.timeout(PATIENCE):
                    return dict(await self._reply(request.number))
            except (BlockingIOError, ConnectionError, TimeoutError) as error:
                raise Busy(f"no answer to {name} within {PATIENCE:g} s") from error

    async def _reply(self, number: int) -> Any:  # JSON
        """Return the reply to `number`; replies to an earlier process of this stage are dropped."""
        loop = asyncio.get_running_loop()
        while True:
            reply = self._ports.requests.received()
            if reply is None:
                readable = loop.create_future()
                loop.add_reader(self._ports.requests.replies, readable.set_result, None)
                try:
                    await readable
                finally:
                    loop.remove_reader(self._ports.requests.replies)
            elif reply[0] == number:
                return reply[1]
