"""The connections of the control server's process to the rest of the run."""

import socket
from dataclasses import dataclass

from sdstream.audio.ring import AudioRing
from sdstream.config.control import ControlSettings
from sdstream.ipc.live_controls import LiveControls
from sdstream.ipc.live_text import LiveText
from sdstream.ipc.requests import Requests


@dataclass(frozen=True)
class ServerPorts:
    """Sockets and shared memory of the control server; may be sent to a spawned process."""

    settings: ControlSettings
    listener: socket.socket
    requests: Requests
    state: LiveText
    """The state of the run as JSON, renewed by the supervisor twice a second."""
    preview: LiveText
    """Where the pictures of the preview are to be had (`supervisor.show`); empty without a preview."""
    controls: LiveControls
    token: str
    ring: AudioRing
    """The sound of the source."""
