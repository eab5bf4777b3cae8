"""Puts FFmpeg's errors about one output into our words, without the stream key that they may quote."""

import contextlib
from collections.abc import Iterator

import av

from sdstream.errors import Forbidden, Lost, SdstreamError, Unavailable
from sdstream.redact import mask_url, redact
from sdstream.sinks.recording_file import ADVICE


@contextlib.contextmanager
def output_errors(url: str, what: str) -> Iterator[None]:
    """Turn FFmpeg's errors inside this block into ours: the output at `url` (or file) `what`, and what to check.

    Raises Lost for a server, which may come back; Forbidden or Unavailable for a file. The cause is not chained: its
    text may hold the stream key.
    """
    try:
        yield
    except av.FFmpegError as error:
        kind = _kind(error, url)
        raise kind(f"output {mask_url(url)} {what}: {redact(str(error), url)}; {_advice(error, url)}") from None


def _kind(error: av.FFmpegError, url: str) -> type[SdstreamError]:
    if "://" in url:
        return Lost
    return Forbidden if isinstance(error, PermissionError) else Unavailable


def _advice(error: av.FFmpegError, url: str) -> str:
    if "://" not in url:
        return ADVICE
    if isinstance(error, ConnectionRefusedError):
        return "expected a server that listens there"
    return "expected a server that is up and knows this stream key, used by nobody else"
