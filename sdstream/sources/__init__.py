"""Where pictures come from: a file for each kind, and one protocol for all.

A source knows the sender: a server, a device, a file. Retries, mailboxes and the engine are unknown here: the source's
stage opens a source again when the source is lost. `registry` has the table of kinds, `context` the arguments of every
source besides the settings, `decoding` the way from packets to pictures. Start reading at `Source`, then `testsrc`, the
smallest kind.
"""

from typing import Protocol, Self

from sdstream.frame import Frame


class Source(Protocol):
    """A source of pictures, opened by `with`: no thread, no retry, and no sleep but for the pace of the pictures."""

    def __enter__(self) -> Self:
        """Open the source. Raises Lost when the sender is not there yet, Unavailable when the sender can never be."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Close the source; closing twice is harmless."""
        ...

    def read(self) -> Frame | None:
        """Return the next picture at canvas size, or None if no picture came within a second.

        The next `read` may overwrite the pixels. Raises Lost when the sender has gone away.
        """
        ...

    def facts(self) -> dict[str, str]:
        """Return the known facts about picture and sound (codec, format, size, colour, sound, …), for people."""
        ...
