"""Turns FFmpeg's errors about an output into our errors, without the stream key."""

import contextlib
from collections.abc import Iterator

import av

from sdstream.errors import Forbidden, Lost, SdstreamError, Unavailable
from sdstream.redact import mask_url, redact
from sdstream.sinks.recording.file_name import ADVICE, file_of


@contextlib.contextmanager
def output_errors(url: str, what: str) -> Iterator[None]:
    """Turn FFmpeg's errors inside this block into an error about the output at `url` (or file), with advice.

    `what` is the event in words, for example "was lost". Raises Lost for a server, because a server may come back;
    Forbidden or Unavailable for a file. The cause is not chained, because FFmpeg's text may hold the stream key.
    """
    try:
        yield
    except av.FFmpegError as error:
        kind = _kind(error, url)
        raise kind(f"output {mask_url(url)} {what}: {redact(str(error), url)}; {_advice(error, url)}") from None


def _kind(error: av.FFmpegError, url: str) -> type[SdstreamError]:
    if file_of(url) is None:
        return Lost
    return Forbidden if isinstance(error, PermissionError) else Unavailable


def _advice(error: av.FFmpegError, url: str) -> str:
    if file_of(url) is not None:
        return ADVICE
    if isinstance(error, ConnectionRefusedError):
        return "expected a server listening at this address"
    return "expected a running server that accepts this stream key, and no second publisher with the key"
