"""Where pictures come from: a file for each kind, and one protocol for all.

A source knows its sender: a server, a device, a file. Retries, mailboxes and the engine are unknown here: the source's
stage opens a source again when the source is lost. `registry` has the table of kinds, `context` the things that a
source is given, `decoding` the way from packets to pictures. Start reading at `Source`, then `testsrc`, the smallest
kind.
"""

from typing import Protocol, Self

from sdstream.frame import Frame


class Source(Protocol):
    """A source of pictures, opened by `with`. It has no thread, no retry and no sleep but its own pace."""

    def __enter__(self) -> Self:
        """Open it. Raises Lost when it is not there yet, Unavailable when it can never be."""
        ...

    def __exit__(self, *exc: object) -> None:
        """Close it; closing twice is harmless."""
        ...

    def read(self) -> Frame | None:
        """Return the next picture at canvas size, or None if none came within a second.

        The pixels may be overwritten by the next `read`. Raises Lost when the source has gone away.
        """
        ...

    def facts(self) -> dict[str, str]:
        """Return what is known of its picture and sound (codec, format, size, colour, sound, …), for people."""
        ...
