"""Turns FFmpeg's errors about an output into our errors, without the stream key."""

import contextlib
import errno
import re
from collections.abc import Iterator, Sequence

import av

from sdstream.errors import Forbidden, Lost, SdstreamError, Unavailable
from sdstream.redact import mask_url, redact
from sdstream.sinks.recording.file_name import ADVICE, file_of

OPENING = "cannot be opened"
"""The event of a connection, or of a new file."""

_CLOSED = (errno.EIO, errno.EPIPE, errno.ECONNRESET, errno.EPERM, errno.ECONNABORTED, av.error.EOFError(0, "").errno)
_KEY = "check the key for a missing or extra character, and the application in front of the key"
_REFUSALS = (
    (
        r"already publish|BadName|in use|exists",
        "the key is in use: end the other program that sends with the key, or wait until the server lets go of the key",
    ),
    (r"auth|denied|forbidden|unauthorized|invalid.*key|key.*invalid", f"the server refuses the stream key: {_KEY}"),
    (r"not found|no such app|InvalidApp|app", "the server does not know the application, the part before the key"),
    (r"", f"the server refuses the stream: {_KEY}"),
)
"""What a server says, and what to do; the first match holds."""


@contextlib.contextmanager
def output_errors(url: str, what: str, said: Sequence[str] = ()) -> Iterator[None]:
    """Turn FFmpeg's errors inside this block into an error about the output at `url` (or file), with advice.

    `what` is the event in words, for example "was lost"; `said` are FFmpeg's own lines. Raises Lost for a server,
    because a server may come back; Unavailable for a protocol that this FFmpeg does not have; Forbidden or Unavailable
    for a file. The cause is not chained, because FFmpeg's text may hold the stream key.
    """
    try:
        yield
    except av.FFmpegError as error:
        reasons = [error.strerror or str(error), *said]
        text = redact("; ".join(reasons), url)
        advice = _advice(error, url, what, said)
        raise _kind(error, url)(f"output {mask_url(url)} {what}: {text}; {advice}") from None


def _kind(error: av.FFmpegError, url: str) -> type[SdstreamError]:
    if isinstance(error, av.error.ProtocolNotFoundError):
        return Unavailable
    if file_of(url) is None:
        return Lost
    return Forbidden if isinstance(error, PermissionError) else Unavailable


def _advice(error: av.FFmpegError, url: str, what: str, said: Sequence[str]) -> str:
    if isinstance(error, av.error.ProtocolNotFoundError):
        return f"this FFmpeg cannot write {url.partition(':')[0]}://; see `sdstream doctor`"
    if file_of(url) is not None:
        return ADVICE
    if isinstance(error, ConnectionRefusedError):
        return "expected a server listening at this address"
    if refusal := next((line for line in said if "Server error" in line), ""):
        return next(advice for pattern, advice in _REFUSALS if re.search(pattern, refusal, re.IGNORECASE))
    if what == OPENING and url.startswith("rtmp") and error.errno in _CLOSED:
        return (
            f"the server closed the connection when the stream was named: most often a wrong or old stream key; {_KEY}"
        )
    if what != OPENING and error.errno in _CLOSED:
        return (
            "the server closed the connection; a key that expired, a second sender or a limit of the server does this"
        )
    return "expected a running server that accepts this stream key, and no second publisher with the key"
