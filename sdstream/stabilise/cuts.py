"""Finds cuts in the camera's pictures by the trust in the motion between two pictures."""

import numpy as np

from sdstream.stabilise.motion import Motion

CUT_TRUST = 0.25
"""Mean trust under which two camera pictures belong to two shots: `sdstream bench constants --only shots` measured 0.5
and more within the shots of seven of eight clips (the eighth clip is a battle), and less than 0.25 at 24 of 32 cuts."""

CUT_DROP = 0.3
"""Fall of mean trust that counts as a cut too, because two shots of a room agree on the walls: `sdstream bench
constants --only shots` measured 0.21 at most within the shots of six of eight clips, and found 31 of 32 cuts with
`CUT_DROP` and `CUT_TRUST` together. At a cut between two takes of a person in the same pose trust can fall by as little
as 0.2."""

_NEWEST = 0.2
"""Share of the newest picture in the usual trust."""


class CutDetector:
    """Keeps a running mean of the trust within a shot, and finds pictures far below the mean."""

    def __init__(self) -> None:
        self.usual = 0.0
        """Mean trust within the present shot; 0 while unknown."""

    def forget(self) -> None:
        """Start afresh: the next picture begins a shot."""
        self.usual = 0.0

    def __call__(self, motion: Motion) -> bool:
        """Return whether the newer picture of `motion` is the first picture of a new shot."""
        trust = float(np.mean(motion.trust))
        if trust < max(CUT_TRUST, self.usual - CUT_DROP):
            self.forget()
            return True
        self.usual = usual_trust(self.usual, trust)
        return False


def usual_trust(usual: float, trust: float) -> float:
    """Return the running mean after the shot's next picture; `usual` 0 stands for no picture yet."""
    return trust if usual == 0.0 else (1.0 - _NEWEST) * usual + _NEWEST * trust
