"""The server's process: peers at the public port, the source at the private port, and the publication."""

import asyncio
import hmac
import socket
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from sdstream.config.sources import RtmpSourceSettings
from sdstream.log import get_logger
from sdstream.sources.rtmp_server.amf0 import ProtocolError
from sdstream.sources.rtmp_server.protocol import Media, PublishFinished, PublishRequest, RtmpSession
from sdstream.sources.rtmp_server.publication import Publication

if TYPE_CHECKING:
    from sdstream.ipc.context import Context

_READ_BYTES = 64 * 1024
_MOST_UNREAD = 256 * 1024  # bytes of answers that a peer does not read
_MOST_BEHIND = 2 * 1024 * 1024  # bytes that the source has not read: 2.7 s at 6 Mbit/s
_SOCKET_BUFFER = 256 * 1024
_TOKEN_DEADLINE = 2.0
_CLOSE_TIMEOUT = 1.0
_HEARTBEAT = 0.2
_SILENT = 1.0  # seconds until a silent publisher gives way to a publisher from the same address


def serve(
    context: "Context", public: socket.socket, private: socket.socket, settings: RtmpSourceSettings, token: bytes
) -> None:
    """Serve until the stage is stopped. The supervisor owns the sockets, and the sockets stay open."""
    asyncio.run(_Server(settings, token).run(context, public, private))


class _Refusals:
    """Logs refused peers, at most once a second, because a port scan must not fill a disk."""

    def __init__(self) -> None:
        self._next = 0.0
        self._silent = 0

    def note(self, peer: str, reason: str) -> None:
        now = time.monotonic()
        if now < self._next:
            self._silent += 1
            return
        get_logger().warning("peer turned away", peer=peer, reason=reason, not_mentioned=self._silent)
        self._next, self._silent = now + 1, 0


class _Peer:
    """A connection at the public port."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.session = RtmpSession()
        self.writer = writer
        host, port, *_ = writer.get_extra_info("peername") or ("?", 0)
        self.host = host
        self.name = f"{host}:{port}"
        self.heard = time.monotonic()  # when the last bytes came
        self.refused = ""

    def flush(self) -> None:
        """Send the session's answers. Raises ProtocolError if the peer does not read."""
        self.writer.write(self.session.outgoing())
        if self.writer.transport.get_write_buffer_size() > _MOST_UNREAD:
            raise ProtocolError(f"RTMP: the peer has left more than {_MOST_UNREAD} bytes of answers unread")


class _Server:
    """State of the server: the pending peers, the publisher and the reader (the source)."""

    def __init__(self, settings: RtmpSourceSettings, token: bytes) -> None:
        self._settings = settings
        self._token = token
        self._pending: list[_Peer] = []
        self._publisher: _Peer | None = None
        self._publication: Publication | None = None
        self._reader: asyncio.StreamWriter | None = None
        self._refusals = _Refusals()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, context: "Context", public: socket.socket, private: socket.socket) -> None:
        """Listen at both ports while the stage runs."""
        servers = [
            await asyncio.start_server(self._at_public_port, sock=public.dup(), limit=_READ_BYTES),
            await asyncio.start_server(self._at_private_port, sock=private.dup(), limit=_READ_BYTES),
        ]
        context.ready()
        while context.running:
            await asyncio.sleep(_HEARTBEAT)
        for server in servers:
            server.close()
        writers = [peer.writer for peer in self._pending]
        writers += [self._publisher.writer] if self._publisher else []
        for writer in writers + ([self._reader] if self._reader else []):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_TIMEOUT)

    def _at_public_port(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._start_task(self._serve_peer(reader, writer))

    def _at_private_port(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._start_task(self._serve_source(reader, writer))

    def _start_task(self, connection: Coroutine[None, None, None]) -> None:
        """Run `connection` as a task, and keep the task for `run` to wait for."""
        task = asyncio.get_running_loop().create_task(connection)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _Peer(writer)
        self._pending.append(peer)
        if len(self._pending) > self._settings.max_pending:
            oldest = self._pending.pop(0)
            oldest.refused = f"more than {self._settings.max_pending} peers are waiting"
            oldest.writer.transport.abort()
        try:
            await self._read_peer(peer, reader)
        except ProtocolError as error:
            self._refusals.note(peer.name, str(error))
        except TimeoutError:
            if peer is self._publisher:
                reason = f"no data came for {self._settings.silence:g} s"
            else:
                reason = peer.refused or f"did not publish within {self._settings.handshake_timeout:g} s"
            self._refusals.note(peer.name, reason)
        except ConnectionError:
            if peer.refused:
                self._refusals.note(peer.name, peer.refused)
        finally:
            self._forget(peer)
            writer.transport.abort()

    async def _read_peer(self, peer: _Peer, reader: asyncio.StreamReader) -> None:
        """Read all bytes of a peer and act on the events. Raises ProtocolError, TimeoutError or ConnectionError."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._settings.handshake_timeout
        while not peer.refused:
            publishing = peer is self._publisher
            async with asyncio.timeout_at(clock() + self._settings.silence if publishing else deadline):
                data = await reader.read(_READ_BYTES)
            if not data:
                return
            now = peer.heard = time.monotonic()
            for event in peer.session.receive(data):
                if isinstance(event, PublishRequest):
                    self._decide(peer, event)
                elif isinstance(event, Media):
                    self._forward(peer, event, now)
                elif isinstance(event, PublishFinished):
                    return
            peer.flush()
        async with asyncio.timeout(_CLOSE_TIMEOUT):  # a refused peer must receive the reason
            await peer.writer.drain()
            peer.writer.write_eof()
            while await reader.read(_READ_BYTES):
                pass

    def _decide(self, peer: _Peer, request: PublishRequest) -> None:
        """Let a peer publish, or refuse with a reason. The key of a peer never gets into the reason or the log."""
        reason = self._refusal(peer, request)
        if reason:
            peer.refused = reason
            peer.session.reject(reason)
            self._refusals.note(peer.name, reason)
            return
        if self._publisher is not None:
            silent = round(time.monotonic() - self._publisher.heard, 1)
            get_logger().info("publisher replaced", peer=self._publisher.name, by=peer.name, silent=silent)
            previous, self._publisher = self._publisher, None
            previous.writer.transport.abort()
            self._end_publication()
        self._pending.remove(peer)
        self._publisher = peer
        self._publication = Publication(self._settings.audio_track, self._settings.video_track)
        peer.session.accept()
        get_logger().info("publisher connected", peer=peer.name, app=request.app)

    def _refusal(self, peer: _Peer, request: PublishRequest) -> str:
        key = self._settings.key.get_secret_value() if self._settings.key else None
        if not hmac.compare_digest(request.app.encode(), self._settings.app.strip("/").encode()):
            return "wrong application"
        if key is not None and not _same(request.name, key):
            return "wrong stream key"
        if self._publisher is not None and not self._gives_way(self._publisher, peer):
            return "a publisher is connected already"
        return ""

    def _gives_way(self, publisher: _Peer, other: _Peer) -> bool:
        """Tell whether `other` takes over: by policy, or because the connection of `publisher` has stalled.

        A program that lost its network comes back from the same address, and need not wait for the stall.
        """
        if self._settings.second_publisher == "takeover":
            return True
        stall = self._settings.stall
        silent = time.monotonic() - publisher.heard
        return silent >= (min(_SILENT, stall) if other.host == publisher.host else stall)

    def _forward(self, peer: _Peer, media: Media, now: float) -> None:
        publication = self._publication
        if peer is not self._publisher or publication is None:
            return
        reader = self._reader
        if reader is not None and reader.transport.get_write_buffer_size() > _MOST_BEHIND:
            publication.skip_to_key_frame()
        known = publication.other_tracks
        data = publication.feed(media, now, wanted=reader is not None)
        if publication.other_tracks and not known:
            get_logger().info("other tracks of the publisher are left out", peer=peer.name)
        if reader is None:
            return
        if publication.outgrown():
            self._end_publication()  # the source connects again at once, and gets a header with all tracks
        elif data:
            reader.write(data)

    def _end_publication(self) -> None:
        """Close the connection to the source, after sending the bytes written so far."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._publication is not None:
            self._publication.restart()

    def _forget(self, peer: _Peer) -> None:
        if peer in self._pending:
            self._pending.remove(peer)
        if peer is self._publisher:
            skipped = self._publication.skipped if self._publication else 0
            get_logger().info("publisher gone", peer=peer.name, skipped=skipped)
            self._publisher = None
            self._end_publication()
            self._publication = None

    async def _serve_source(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Check the token of the source, and send the publication; a new connection replaces the old connection."""
        try:
            async with asyncio.timeout(_TOKEN_DEADLINE):
                token = await reader.readexactly(len(self._token))
            if not hmac.compare_digest(token, self._token):
                return
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER)
            self._end_publication()
            self._reader = writer
            while await reader.read(_READ_BYTES):
                pass
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # a stranger on loopback, or the source died: the next process of the source will connect
        finally:
            if self._reader is writer:
                self._end_publication()
            writer.transport.abort()


def _same(given: str, key: str) -> bool:
    """Compare in constant time, also without the parameters after "?", added by some programs."""
    exact = hmac.compare_digest(given.encode(), key.encode())
    bare = hmac.compare_digest(given.partition("?")[0].encode(), key.encode())
    return exact or bare
