"""Errors of FFmpeg become errors of ours, without the stream key."""

import av
import pytest

from sdstream.errors import Forbidden, Lost, Unavailable
from sdstream.sinks.output_errors import OPENING, output_errors

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
            "the server closed the connection; a key that expired, a second sender or a limit of the server does this",
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


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("rtmp: Server error: Already publishing", "the key is in use"),
        ("rtmp: Server error: Stream already exists", "the key is in use"),
        ("rtmp: Server error: Authentication failed", "the server refuses the stream key"),
        ("rtmp: Server error: application not found", "does not know the application"),
        ("rtmp: Server error: no", "the server refuses the stream"),
        ("", "most often a wrong or old stream key"),
    ],
)
def test_what_the_server_says_is_kept_and_answered(said: str, advice: str) -> None:
    lines = [f"{said} for s3cret"] if said else []
    with pytest.raises(Lost) as caught, output_errors(SERVER, OPENING, lines):
        raise av.error.OSError(5, "Input/output error", SERVER)
    assert said in str(caught.value)
    assert advice in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_protocol_that_ffmpeg_does_not_have_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="this FFmpeg cannot write gopher://"), output_errors("gopher://a", OPENING):
        raise av.error.ProtocolNotFoundError(1330794744, "Protocol not found")
