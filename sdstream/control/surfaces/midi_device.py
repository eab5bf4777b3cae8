"""Opens the MIDI input of the settings, again after the controller was unplugged."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sdstream.errors import Unavailable, reason
from sdstream.log import get_logger

if TYPE_CHECKING:
    from mido import Message

LOOK_EVERY = 2.0
"""Seconds between two looks for the controller: MIDI does not tell that a controller was unplugged."""


def input_names() -> list[str]:
    """Return the names of the MIDI inputs of this machine. Raises Unavailable without the extra, or without MIDI."""
    try:
        import mido

        return list(mido.get_input_names())
    except ImportError as error:
        raise Unavailable("MIDI needs the extra `midi`") from error
    except (OSError, SystemError) as error:  # rtmidi raises SystemError where the system has no sequencer
        raise Unavailable(f"this machine has no MIDI ({reason(error)}); on Linux: sudo modprobe snd-seq") from error


async def follow(wanted: str, take: Callable[["Message"], None]) -> None:
    """Give each message of the input to `take`, in this event loop, until cancelled.

    `wanted` is a part of the input's name. Raises Unavailable without the extra; an absent controller is waited for.
    """
    loop = asyncio.get_running_loop()

    def received(message: "Message") -> None:
        loop.call_soon_threadsafe(take, message)

    opened: tuple[str, Any] | None = None
    told = ""
    try:
        while True:
            name, why = _look(wanted)
            if opened is not None and opened[0] != name:
                get_logger().warning("MIDI input gone", name=opened[0])
                opened[1].close()
                opened = None
            if name and opened is None:
                opened = (name, _open(name, received))
                get_logger().info("MIDI input open", name=name)
            elif why and why != told:
                get_logger().warning("MIDI input not found", wanted=wanted, reason=why)
            told = why
            await asyncio.sleep(LOOK_EVERY)
    finally:
        if opened is not None:
            opened[1].close()


def _look(wanted: str) -> tuple[str, str]:
    """Return the name of the input, and "" or the reason why there is none."""
    try:
        names = input_names()
    except Unavailable as error:
        return "", str(error)
    name = next((name for name in names if wanted.lower() in name.lower()), "")
    return name, "" if name else f"there is {', '.join(names) or 'no input'}"


def _open(name: str, take: Callable[["Message"], None]) -> Any:  # mido's ports have no types
    import mido

    return mido.open_input(name, callback=take)
