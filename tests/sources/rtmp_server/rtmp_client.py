"""An RTMP client for tests, with the pieces of the protocol, correct or broken."""

import os
import socket
import struct

from sdstream.sources.rtmp_server import amf0, chunks
from sdstream.sources.rtmp_server.chunks import ChunkReader, Message
from sdstream.sources.rtmp_server.protocol import HANDSHAKE


def hello():
    """Return C0 and C1."""
    return b"\3" + bytes(8) + os.urandom(HANDSHAKE - 8)


def command(*values, message_stream=0):
    return chunks.write_message(Message(chunks.COMMAND, 0, amf0.encode(*values), message_stream), 3, 128)


def connect(app="live"):
    return command("connect", 1, {"app": app, "tcUrl": f"rtmp://localhost/{app}", "type": "nonprivate"})


def ask(key):
    """Return what OBS sends in order to publish."""
    before = command("releaseStream", 2, None, key) + command("FCPublish", 3, None, key)
    return before + command("createStream", 4, None) + command("publish", 5, None, key, "live", message_stream=1)


def media(kind, timestamp, payload):
    return chunks.write_message(Message(kind, timestamp, payload, 1), 4, 128)


def metadata(**facts):
    return media(chunks.DATA, 0, amf0.encode("@setDataFrame", "onMetaData", facts))


def answers(data):
    """Return the commands in what a server sent after its part of the handshake."""
    reader = ChunkReader(1 << 20)
    reader.feed(data)
    found = []
    while (message := reader.next_message()) is not None:
        if message.kind == chunks.SET_CHUNK_SIZE:
            reader.chunk_size = int.from_bytes(message.payload, "big")
        elif message.kind == chunks.COMMAND:
            found.append(amf0.decode(message.payload))
    return found


class Client:
    """A connection to the RTMP server's public port."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(host, 0))
        self.heard = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def publish(self, app, key):
        """Shake hands and ask to publish; return the code of the server's verdict."""
        self.ask(app, key)
        return self.verdict()

    def ask(self, app, key):
        """Shake hands and ask to publish."""
        self.socket.sendall(self.shake_hands() + connect(app) + ask(key))

    def shake_hands(self):
        """Send C0 and C1; return C2."""
        self.socket.sendall(hello())
        start = b""
        while len(start) < 1 + 2 * HANDSHAKE:
            start += self.socket.recv(1 + 2 * HANDSHAKE - len(start))
        return start[1 : 1 + HANDSHAKE]

    def reset(self):
        """Go without a word: the server hears of it by an error."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def told_or_closed(self):
        """Return the verdict, or "closed" if the connection ends without."""
        try:
            return self.verdict()
        except ConnectionError:
            return "closed"

    def verdict(self):
        while True:
            codes = [values[3]["code"] for values in answers(self.heard) if values[0] == "onStatus"]
            if codes:
                return codes[0]
            data = self.socket.recv(65536)
            if not data:
                return "closed"
            self.heard += data

    def closed(self):
        """Wait until the server has closed the connection."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        return True
