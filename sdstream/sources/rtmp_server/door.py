"""The public port: takes connections, reads peers within their budgets, and lets a single publisher in."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Coroutine

from sdstream.config.sources import RtmpSourceSettings
from sdstream.errors import Bug
from sdstream.log import get_logger
from sdstream.sources.rtmp_server.admission.key_guard import KeyGuard
from sdstream.sources.rtmp_server.admission.login import ASKED, FAILED, Login
from sdstream.sources.rtmp_server.admission.stream_name import is_key, stream_name
from sdstream.sources.rtmp_server.admission.tls import server_tls
from sdstream.sources.rtmp_server.admission.turnstile import Turnstile
from sdstream.sources.rtmp_server.admission.waiting_room import first_to_go
from sdstream.sources.rtmp_server.amf0 import ProtocolError
from sdstream.sources.rtmp_server.events import LoginRequest, Media, PublishFinished, PublishRequest
from sdstream.sources.rtmp_server.peer import Peer, Refusals
from sdstream.sources.rtmp_server.protocol import RtmpSession
from sdstream.sources.rtmp_server.relay import Relay
from sdstream.sources.rtmp_server.succession import Succession

_PRICE = 0.0002  # seconds of work for a connection, besides the pieces that are measured
_STRANGER_BYTES = 2 * 1024  # a piece of work for a stranger: at most 5 ms
_PUBLISHER_BYTES = 64 * 1024
_PIECE = 8 * 1024
_LONGEST_WORK = 0.005  # seconds of work for the publisher until others have a turn
_LOOK_AGAIN = 0.05
_TELL = 3.0  # seconds without a picture until the log tells why
_TAKEN = "a publisher is connected already"
_TOO_MANY = "too many wrong keys or passwords came from this address; try again in a minute"
_NO_DESCRIPTOR = 0.1  # seconds of pause when the system has no more descriptors


StartTask = Callable[[Coroutine[None, None, None]], None]


class Door:
    """The pending peers and the publisher. `relay` gets the publisher's messages."""

    def __init__(self, settings: RtmpSourceSettings, relay: Relay, start_task: StartTask) -> None:
        """`start_task` runs a coroutine beside the others."""
        self._settings = settings
        self._relay = relay
        self._start_task = start_task
        self._pending: list[Peer] = []
        self._publisher: Peer | None = None
        self._refusals, self._questions = Refusals(), Refusals()  # each login begins with a question
        self._last = ""  # why the last peer was turned away
        self._succession = Succession(settings)
        self._guard = KeyGuard()
        self._strangers = Turnstile()
        self._tls = server_tls(settings)
        self._login: Login | None = None
        if settings.user is not None and settings.password is not None:
            self._login = Login(settings.user, settings.password.get_secret_value())

    async def accept(self, public: socket.socket) -> None:
        """Take connections at `public` until cancelled."""
        loop = asyncio.get_running_loop()
        public.setblocking(False)
        while True:
            try:
                connection, address = await loop.sock_accept(public)
            except OSError:  # the peer has gone, or the system has no more descriptors
                await asyncio.sleep(_NO_DESCRIPTOR)
                continue
            async with self._strangers:
                self._strangers.charge(_PRICE)
                peer = Peer(connection, address, RtmpSession(login=self._login is not None))
                self._pending.append(peer)
                self._make_room()
                self._start_task(self._serve(peer))

    def why(self, now: float) -> str:
        """Return why no publisher is shown; empty if nothing is known to be missing. Logs what lasts for seconds."""
        publisher = self._publisher
        if publisher is None:
            last = f"; the last peer was turned away: {self._last}" if self._last else ""
            return f"no publisher is connected{last}"
        silent = now - publisher.heard
        if waits := self._succession.why(publisher, now):
            return waits
        why = self._relay.why()
        if why and why != publisher.told and now - publisher.let_in > _TELL:
            publisher.told = why
            get_logger().warning("publisher is not shown", peer=publisher.name, reason=why)
        return f"the publisher has sent nothing for {silent:.0f} s" if silent > _TELL else why

    def abort(self) -> None:
        """End all connections at once."""
        for peer in self._pending + ([self._publisher] if self._publisher else []):
            peer.abort()

    def _make_room(self) -> None:
        if len(self._pending) <= self._settings.max_pending:
            return
        *others, _ = self._pending  # the newcomer, at the end, has had no time for a step
        standing = first_to_go([peer.standing for peer in others], time.monotonic())
        (peer,) = (peer for peer in self._pending if peer.standing is standing)
        self._pending.remove(peer)
        peer.refused = f"more than {self._settings.max_pending} peers are waiting"
        peer.abort()

    async def _serve(self, peer: Peer) -> None:
        """Serve a peer from the connection to the end."""
        reason = ""
        try:
            async with asyncio.timeout(self._settings.handshake_timeout) as patience:
                await peer.open(self._tls)
                await self._let_in(peer)
                patience.reschedule(None)
                if peer is self._publisher:
                    await self._read_publisher(peer)
            if peer.refused:
                await peer.hear_out()
        except ProtocolError as error:
            reason = str(error)
        except TimeoutError:
            reason = peer.refused or f"did not publish within {self._settings.handshake_timeout:g} s"
        except OSError as error:
            reason = peer.refused or _tls_reason(error)
        finally:
            if reason := reason or peer.refused:
                log = self._questions if reason == ASKED else self._refusals
                log.note(peer.name, reason)
                self._last = reason
            self._forget(peer)
            peer.close()

    async def _let_in(self, peer: Peer) -> None:
        """Read a stranger until the stranger is let in, is refused or has gone. Raises ProtocolError or OSError."""
        while not peer.refused and peer is not self._publisher:
            data = await peer.read(_STRANGER_BYTES)
            if not data or peer.refused:
                return
            peer.heard = time.monotonic()
            events = peer.session.receive(data)
            while not peer.refused:
                async with self._strangers:
                    event = next(events, None)
                    peer.standing.step(peer.session.progress, time.monotonic())
                if event is None:
                    break
                if isinstance(event, PublishFinished):
                    self._forget(peer)
                    return
                if isinstance(event, PublishRequest):
                    await self._decide(peer, event)
                elif isinstance(event, LoginRequest):
                    await self._log_in(peer, event)
                elif isinstance(event, Media):
                    self._relay.forward(event, peer.heard)
            peer.flush()

    async def _read_publisher(self, peer: Peer) -> None:
        """Read the publisher to the end, with pauses for others. Raises ProtocolError or OSError."""
        while not peer.refused:
            try:
                async with asyncio.timeout(self._settings.silence):
                    data = await peer.read(_PUBLISHER_BYTES)
            except TimeoutError:
                raise ProtocolError(f"no data came for {self._settings.silence:g} s") from None
            if not data:
                return
            now = peer.heard = time.monotonic()
            began = time.thread_time()
            for start in range(0, len(data), _PIECE):
                if not self._take(peer, data[start : start + _PIECE], now):
                    return
                if time.thread_time() - began > _LONGEST_WORK:
                    await asyncio.sleep(0)
                    began = time.thread_time()
            peer.flush()

    def _take(self, peer: Peer, data: bytes, now: float) -> bool:
        """Forward a part of the publication; False at the end of the publication."""
        if peer is not self._publisher:
            return False
        for event in peer.session.receive(data):
            if isinstance(event, Media):
                self._relay.forward(event, now)
            elif isinstance(event, PublishFinished):
                return False
        return True

    async def _decide(self, peer: Peer, request: PublishRequest) -> None:
        """Let a peer publish, or refuse with a reason. The key of a peer never gets into the reason or the log."""
        reason = await self._refusal(peer, request)
        self._succession.leave(peer)
        if peer.refused or peer.gone:
            peer.refused = peer.refused or "has gone before the answer"
            return
        if reason:
            peer.refused = reason
            peer.session.reject(reason)
            return
        if self._publisher is not None:
            silent = round(time.monotonic() - self._publisher.heard, 1)
            get_logger().info("publisher replaced", peer=self._publisher.name, by=peer.name, silent=silent)
            previous, self._publisher = self._publisher, None
            previous.abort()
        self._pending.remove(peer)
        self._publisher = peer
        self._last = ""
        peer.heard = peer.let_in = time.monotonic()
        self._relay.begin()
        peer.session.accept()
        get_logger().info("publisher connected", peer=peer.name, app=request.app)

    async def _refusal(self, peer: Peer, request: PublishRequest) -> str:
        given = stream_name(request.app, request.name, self._settings.app)
        if given.wrong:
            return given.wrong
        if not await self._may_try(peer):
            return _TOO_MANY
        key = self._settings.key.get_secret_value() if self._settings.key else None
        if key is not None and not is_key(given, key, self._settings.app):
            return "wrong stream key" if given.key else "no stream key was given"
        self._guard.give_back(peer.standing.network)
        if given.remark:
            get_logger().info("stream key found", peer=peer.name, remark=given.remark)
        return await self._place(peer)

    async def _log_in(self, peer: Peer, request: LoginRequest) -> None:
        """Check user and password, or ask for both."""
        login = self._login
        if login is None:
            raise Bug("a session without a login asked for a login")
        if "response" not in request.query:
            peer.session.ask_to_log_in(login.question(request.query, time.monotonic()))
            peer.refused = peer.refused or login.asked(request.query)
            return
        tries = await self._may_try(peer)
        if tries and login.is_answered(request.query, time.monotonic()):
            self._guard.give_back(peer.standing.network)
            peer.session.log_in()
            return
        peer.session.ask_to_log_in(FAILED)
        peer.refused = peer.refused or ("wrong user or password" if tries else _TOO_MANY)

    async def _may_try(self, peer: Peer) -> bool:
        """Count a try as failed, and wait until the try is due; False if the peer must come again later."""
        pause = self._guard.reserve(peer.standing.network, time.monotonic())
        if pause > self._settings.handshake_timeout:
            self._guard.give_back(peer.standing.network)
            return False
        await asyncio.sleep(pause)
        return True

    async def _place(self, peer: Peer) -> str:
        """Wait until the publisher's place is free for `peer`; return why the place is not free."""
        asked = time.monotonic()
        last_moment = peer.connected + self._settings.handshake_timeout
        while (publisher := self._publisher) is not None and not peer.refused and not peer.gone:
            now = time.monotonic()
            if self._succession.gives_way(publisher, peer, now):
                break
            if publisher.heard > asked:
                return _TAKEN
            if now + 2 * _LOOK_AGAIN > last_moment:
                return f"{_TAKEN}; silent, but not yet for source.stall ({self._settings.stall:g} s)"
            self._succession.wait(publisher, peer, now)
            peer.standing.stepped = now
            await asyncio.sleep(_LOOK_AGAIN)
        return ""

    def _forget(self, peer: Peer) -> None:
        self._succession.leave(peer)
        if peer in self._pending:
            self._pending.remove(peer)
        if peer is self._publisher:
            self._publisher = None
            get_logger().info("publisher gone", peer=peer.name, skipped=self._relay.end())


def _tls_reason(error: OSError) -> str:
    """Return what went wrong with TLS; empty if the peer has just gone."""
    if not isinstance(error, ssl.SSLError):
        return ""
    if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
        return "the peer does not speak TLS; expected rtmps:// and not rtmp://"
    return f"TLS: {(error.reason or 'failed').lower().replace('_', ' ')}"
