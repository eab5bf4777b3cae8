"""Who follows a publisher, and when: by policy, or because the publisher's connection has stalled."""

from sdstream.config.sources import RtmpSourceSettings
from sdstream.log import get_logger
from sdstream.sources.rtmp_server.peer import Peer

_SILENT = 1.0  # seconds until a silent publisher gives way to a publisher from the same address
_TOLD = 0.3  # seconds of silence; any publisher is silent between two pictures


class Succession:
    """The peers with the right key that wait for a publisher's place. Times are monotonic seconds."""

    def __init__(self, settings: RtmpSourceSettings) -> None:
        """Take the policy and the stall from `settings`."""
        self._takeover = settings.second_publisher == "takeover"
        self._stall = settings.stall
        self._waiting: list[Peer] = []

    def gives_way(self, publisher: Peer, other: Peer, now: float) -> bool:
        """Tell whether `other` takes over from `publisher`."""
        if self._takeover or publisher.gone:
            return True
        return now - publisher.heard >= self._patience(publisher, other)

    def wait(self, publisher: Peer, other: Peer, now: float) -> None:
        """Note that `other` waits for the place of `publisher`; the log tells once."""
        silent = now - publisher.heard
        if other in self._waiting or silent < _TOLD:
            return
        self._waiting.append(other)
        seconds = round(max(0.0, self._patience(publisher, other) - silent), 1)
        get_logger().info("a second publisher waits", peer=other.name, first=publisher.name, at_most=seconds)

    def leave(self, peer: Peer) -> None:
        """Forget `peer`, because the peer has got the place, or has gone."""
        if peer in self._waiting:
            self._waiting.remove(peer)

    def why(self, publisher: Peer, now: float) -> str:
        """Return why neither the publisher nor the peer that waits is shown; empty if no peer waits."""
        if not self._waiting:
            return ""
        other, silent = self._waiting[0], now - publisher.heard
        patience = self._patience(publisher, other)
        return f"a second publisher waits; the first has been silent for {silent:.1f} s, and goes after {patience:g} s"

    def _patience(self, publisher: Peer, other: Peer) -> float:
        """Return the seconds of silence after which `publisher` gives way to `other`.

        A program that lost its network comes back from the same address, and need not wait for the stall.
        """
        same = other.standing.network == publisher.standing.network
        return min(_SILENT, self._stall) if same else self._stall
