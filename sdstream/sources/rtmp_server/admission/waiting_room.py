"""Which of the peers that are not let in yet leaves when there are too many: a policy without clock or socket."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

_GRACE = 0.1  # seconds for a step; on a slower network the order of progress has to protect the peer
_STEP_COUNTS = 1.0  # seconds; a peer that stays where it is counts as a peer without progress


@dataclass(eq=False, slots=True)
class Standing:
    """What the waiting room knows of a peer."""

    network: str
    """The peer's address; for IPv6 the first 64 bits."""
    stepped: float
    """Time of the last step, at first the time of the connection (monotonic seconds)."""
    progress: int = 0
    """Steps taken towards publishing."""

    def step(self, progress: int, now: float) -> None:
        """Note that the peer has taken `progress` steps so far."""
        if progress > self.progress:
            self.progress, self.stepped = progress, now


def first_to_go(waiting: Collection[Standing], now: float) -> Standing:
    """Return the peer that makes room.

    The address with the most peers gives up a peer: a peer that has been in the same place for a moment before others,
    then the peer with the fewest steps, then the peer with the oldest step.
    """
    crowd = Counter(standing.network for standing in waiting)

    def firmness(standing: Standing) -> tuple[int, bool, int, float]:
        idle = now - standing.stepped
        progress = standing.progress if idle < _STEP_COUNTS else 0
        return -crowd[standing.network], idle < _GRACE, progress, standing.stepped

    return min(waiting, key=firmness)
