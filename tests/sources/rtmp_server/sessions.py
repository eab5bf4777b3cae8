"""Sessions of a publisher at each step, without sockets."""

from sdstream.sources.rtmp_server.events import PublishRequest
from sdstream.sources.rtmp_server.protocol import HANDSHAKE, RtmpSession
from tests.sources.rtmp_server.rtmp_client import ask, connect, hello


def events(session, *pieces):
    """Feed a session, letting everybody in."""
    found = []
    for piece in pieces:
        for event in session.receive(piece):
            if isinstance(event, PublishRequest):
                session.accept()
            found.append(event)
    return found


def greeted():
    session = RtmpSession()
    events(session, hello(), bytes(HANDSHAKE))
    return session


def publishing():
    session = RtmpSession()
    events(session, hello(), bytes(HANDSHAKE), connect(), ask("key"))
    session.outgoing()
    return session
