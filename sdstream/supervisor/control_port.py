"""The supervisor's end of the control server: answers requests, and publishes the state of the run."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sdstream.ipc.requests import Request
from sdstream.log import get_logger
from sdstream.supervisor.control_ports import STATE_CAPACITY, ControlPorts
from sdstream.supervisor.report import Report
from sdstream.supervisor.show import describe, preview_address
from sdstream.supervisor.wiring import Wiring

STATE_EVERY = 0.5
"""Seconds between two states."""
_MOST = 20  # requests a turn: the stages come first


class ControlPort:
    """Answers the requests of the control server's process."""

    def __init__(self, ports: ControlPorts, wiring: Wiring) -> None:
        """Answer for the run of `wiring`, whose `media` may be restarted."""
        self._ports, self._wiring, self._desk = ports, wiring, wiring.desk
        self._published = float("-inf")

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._ports.requests.fileno()

    def serve(self) -> None:
        """Answer the waiting requests, without blocking."""
        for request in self._ports.requests.take(_MOST):
            if not self._ports.requests.reply(request, self._answer(request)):
                get_logger().warning("control server reads no replies")

    def publish(self, now: float, report: Callable[[], Report]) -> None:
        """Publish the state of the run, when `STATE_EVERY` seconds have passed at `now` (monotonic seconds)."""
        if now - self._published < STATE_EVERY:
            return
        self._published = now
        parts = [
            {"name": stage.name, "ready": stage.ready, "restarts": stage.restarts, "running": stage.pid is not None}
            for stage in self._wiring.media
        ]
        text = json.dumps(report().as_dict() | {"parts": parts, "now": now, "show": describe(self._wiring)})
        if len(text) <= STATE_CAPACITY:
            self._ports.state.set(text)
        else:
            get_logger().warning("state too large for the control server", bytes=len(text))
        if (address := preview_address(self._wiring)) != self._ports.preview.get()[1]:
            self._ports.preview.set(address)

    def _answer(self, request: Request) -> dict[str, Any]:
        match request.name, request.body:
            case "patch", {"changes": dict(changes), "by": str(by)}:
                return asdict(self._desk.patch(changes, by))
            case "restart", {"part": str(name)}:
                return self._restart(name)
        return {"error": "no such request"}

    def _restart(self, name: str) -> dict[str, Any]:
        stage = next((stage for stage in self._wiring.media if stage.name == name), None)
        if stage is None:
            return {"error": f"no part {name!r}; parts: {', '.join(stage.name for stage in self._wiring.media)}"}
        get_logger().info("restart asked for", stage=name)
        stage.replace()
        return {"restarted": name}
