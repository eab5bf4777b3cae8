"""Opening the RTMP server: which ports, for whom, and what is said when there can be none."""

import contextlib

import pytest
from pydantic import ValidationError

from sdstream.config.sources import RtmpSourceSettings
from sdstream.errors import Unavailable
from sdstream.sources.rtmp_server import open_rtmp_server
from tests.sources.rtmp_server.local_settings import free_port, listen


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_a_door_to_the_world_is_not_opened_without_a_key(address):
    with pytest.raises(ValidationError, match="needs a `key`"):
        RtmpSourceSettings(kind="rtmp", listen=address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_this_machine_only(host):
    server = open_rtmp_server(RtmpSourceSettings(kind="rtmp", listen=f"{host}:{free_port()}"))
    assert server.public.getsockname()[0] == server.private.getsockname()[0] == "127.0.0.1"
    server.close()


def test_a_port_that_is_taken_is_unavailable_and_says_so():
    settings = listen()
    with contextlib.closing(open_rtmp_server(settings)), pytest.raises(Unavailable, match="another program has it"):
        open_rtmp_server(settings)
    again = open_rtmp_server(settings)
    again.close()
    again.close()


def test_no_other_source_needs_an_rtmp_server():
    assert open_rtmp_server(RtmpSourceSettings(kind="rtmp", url="rtmp://localhost/live/x")) is None
