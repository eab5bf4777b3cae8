"""Errors of FFmpeg become errors of ours, without the stream key."""

import av
import pytest

from sdstream.errors import Forbidden, Lost, Unavailable
from sdstream.sinks.output_errors import output_errors

SERVER = "rtmp://media.example/live/s3cret"
REFUSED = av.error.ConnectionRefusedError(111, "Connection refused", SERVER)
BROKEN = av.error.BrokenPipeError(32, "Broken pipe", SERVER)
FULL = av.error.OSError(28, "No space left on device", "show.mkv")
DENIED = av.error.PermissionError(13, "Permission denied", "show.mkv")


@pytest.mark.parametrize(
    ("url", "error", "kind", "advice"),
    [
        (SERVER, REFUSED, Lost, "expected a server listening at this address"),
        (
            SERVER,
            BROKEN,
            Lost,
            "expected a running server that accepts this stream key, and no second publisher with the key",
        ),
        ("show.mkv", FULL, Unavailable, "expected an existing folder with write permission and free space"),
        ("show.mkv", DENIED, Forbidden, "expected an existing folder with write permission and free space"),
    ],
)
def test_an_error_of_ffmpeg_says_what_to_check_and_never_the_stream_key(url, error, kind, advice) -> None:
    with pytest.raises(kind) as caught, output_errors(url, "was lost"):
        raise error
    assert str(caught.value).endswith(advice)
    assert "was lost: " in str(caught.value)
    assert "s3cret" not in repr(caught.getrepr(chain=True)).replace(f'"{SERVER}"', "")
