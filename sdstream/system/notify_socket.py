"""Tells the service manager how the daemon is, after sd_notify(3): ready, alive, stopping, and a line of status."""

import contextlib
import os
import socket


class NotifySocket:
    """The socket of systemd, or nothing for a daemon that no service manager started."""

    def __init__(self) -> None:
        """Read NOTIFY_SOCKET; a name with @ is an abstract socket."""
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, *facts: str) -> None:
        """Send facts such as `READY=1`; never blocks, and a manager that does not listen is no fault of ours."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            line.sendto("\n".join(facts).encode(), self._address)
