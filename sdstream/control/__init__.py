"""The control server: state, controls, presets, events and metrics over HTTP, in a process of its own.

The room knows HTTP, tokens and presets. Changes go as requests to the supervisor's control desk, the only owner of the
controls; the state comes back through shared memory. No answer waits for a frame, and no frame waits for an answer.
Start reading at `app`, then `access`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdstream.control.ports import ServerPorts
    from sdstream.ipc.context import Context


def run_control(context: "Context", ports: "ServerPorts") -> None:
    """Serve clients until the stage is stopped; the body of the stage. Raises Unavailable without the extra."""
    from sdstream.control.server import serve

    serve(context, ports)
