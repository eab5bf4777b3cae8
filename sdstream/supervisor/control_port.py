"""The supervisor's end of the control server: answers requests, and publishes the state of the run."""

import json
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sdstream.config.control import ControlSettings
from sdstream.ipc.live_text import LiveText
from sdstream.ipc.requests import Request, Requests
from sdstream.log import get_logger
from sdstream.redact import hide
from sdstream.supervisor.control_desk import Desk
from sdstream.supervisor.report import Report
from sdstream.supervisor.stage import Stage
from sdstream.system.listening import listen_at
from sdstream.system.tokens import forget_token, keep_token

STATE_CAPACITY = 1 << 19
"""Bytes of the state as JSON at most."""
STATE_EVERY = 0.5
"""Seconds between two states."""
_MOST = 20  # requests a turn: the stages come first


@dataclass(frozen=True)
class ControlPorts:
    """The sockets of the control server. The supervisor owns the sockets, so the port stays bound when the process
    dies."""

    listener: socket.socket
    requests: Requests
    state: LiveText
    token: str

    def close(self) -> None:
        """Close all sockets; closing twice is harmless."""
        if self.listener.fileno() >= 0:
            forget_token(self.listener.getsockname()[1])
        self.listener.close()
        self.requests.close()


def open_control(settings: ControlSettings | None) -> ControlPorts | None:
    """Listen for clients; return None for a run without a control server.

    Writes a random token to a file of the user, where the settings have no token. Raises Unavailable if the port is
    taken or no folder can be written, Forbidden if the port is privileged.
    """
    if settings is None:
        return None
    listener = listen_at(settings.listen, "control.listen")
    token = settings.token.get_secret_value() if settings.token else secrets.token_urlsafe(32)
    hide(token)
    keep_token(listener.getsockname()[1], token)
    return ControlPorts(listener, Requests(), LiveText(STATE_CAPACITY, "{}"), token)


class ControlPort:
    """Answers the requests of the control server's process."""

    def __init__(self, ports: ControlPorts, desk: Desk, stages: Callable[[], Sequence[Stage]]) -> None:
        """`stages` returns the stages that may be restarted."""
        self._ports, self._desk, self._stages = ports, desk, stages
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
            for stage in self._stages()
        ]
        text = json.dumps(report().as_dict() | {"parts": parts})
        if len(text) <= STATE_CAPACITY:
            self._ports.state.set(text)
        else:
            get_logger().warning("state too large for the control server", bytes=len(text))

    def _answer(self, request: Request) -> dict[str, Any]:
        match request.name, request.body:
            case "patch", {"changes": dict(changes), "by": str(by)}:
                verdict = self._desk.patch(changes, by)
                return {"version": verdict.version, "refused": [asdict(refusal) for refusal in verdict.refused]}
            case "restart", {"part": str(name)}:
                return self._restart(name)
        return {"error": "no such request"}

    def _restart(self, name: str) -> dict[str, Any]:
        stage = next((stage for stage in self._stages() if stage.name == name), None)
        if stage is None:
            return {"error": f"no part {name!r}; parts: {', '.join(stage.name for stage in self._stages())}"}
        get_logger().info("restart asked for", stage=name)
        stage.replace()
        return {"restarted": name}
