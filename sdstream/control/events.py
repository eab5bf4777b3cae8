"""Events by WebSocket: the controls after each change, and the state of the run twice a second."""

import asyncio
import contextlib
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from sdstream.control.supervisor import Supervisor
from sdstream.control.tokens import WEBSOCKET_TOKEN

LOOKS_A_SECOND = 20.0
"""How often a change is looked for."""
SEND_WITHIN = 5.0
"""Seconds for a client to take an event, until the client is left behind."""
STATE_EVERY = 0.5
"""Seconds between two states."""


async def serve_events(socket: WebSocket, supervisor: Supervisor) -> None:
    """Send events until the client leaves or stalls; whatever the client sends is dropped."""
    protocols = socket.headers.get("sec-websocket-protocol", "").split(",")
    chosen = next((part.strip() for part in protocols if part.strip().startswith(WEBSOCKET_TOKEN)), None)
    await socket.accept(subprotocol=chosen)
    sender = asyncio.create_task(_send(socket, supervisor))
    try:
        while not sender.done():
            await asyncio.wait_for(socket.receive(), None)
    except (WebSocketDisconnect, RuntimeError):  # RuntimeError: a receive after the client left
        pass
    finally:
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sender


async def _send(socket: WebSocket, supervisor: Supervisor) -> None:
    seen, state_due = 0, 0.0
    loop = asyncio.get_running_loop()
    while True:
        version, controls = supervisor.controls
        if version != seen:
            seen = version
            body = {"version": version, "controls": controls.model_dump(mode="json")}
            await _event(socket, {"event": "controls", **body})
        if loop.time() >= state_due:
            state_due = loop.time() + STATE_EVERY
            await _event(socket, {"event": "state", "state": supervisor.state})
        await asyncio.sleep(1 / LOOKS_A_SECOND)


async def _event(socket: WebSocket, event: dict[str, Any]) -> None:
    try:
        async with asyncio.timeout(SEND_WITHIN):
            await socket.send_json(event)
    except TimeoutError:
        await socket.close(1008, "too slow")
