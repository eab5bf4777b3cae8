"""The sockets and the shared memory of the control server, with a longer life than the server's process."""

import secrets
import socket
from dataclasses import dataclass

from sdstream.config.control import ControlSettings
from sdstream.ipc.live_text import LiveText
from sdstream.ipc.requests import Requests
from sdstream.redact import hide
from sdstream.system.listening import listen_at
from sdstream.system.tokens import forget_token, keep_token

STATE_CAPACITY = 1 << 19
"""Bytes of the state as JSON at most."""
PREVIEW_CAPACITY = 1024
"""Bytes of the address of the preview at most."""


@dataclass(frozen=True)
class ControlPorts:
    """The sockets of the control server. The supervisor owns the sockets, so the port stays bound when the process
    dies."""

    listener: socket.socket
    requests: Requests
    state: LiveText
    preview: LiveText
    """Where the preview is to be had (`show.preview_address`)."""
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
    return ControlPorts(listener, Requests(), LiveText(STATE_CAPACITY, "{}"), LiveText(PREVIEW_CAPACITY), token)
