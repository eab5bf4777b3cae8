"""`cuts.CUT_TRUST` and `cuts.CUT_DROP`: how much motion is trusted across cuts, and amid the wildest motion."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sdstream.bench.constants.finding import Finding
from sdstream.bench.constants.footage import SIDE, Picture, clips, most, pictures
from sdstream.stabilise.cuts import CUT_DROP, CUT_TRUST, usual_trust
from sdstream.stabilise.motion import MotionFinder


@dataclass(frozen=True)
class Seen:
    """The motion that leads to one picture of a clip."""

    trust: float
    """Mean trust."""
    fall: float
    """By how much the trust lies under the usual trust of the shot before; 0 while that is unknown."""
    cut: bool
    """Whether the picture begins a shot."""

    @property
    def taken_for_a_cut(self) -> bool:
        """Whether the stabiliser would start afresh."""
        return self.trust < CUT_TRUST or self.fall > CUT_DROP


def look_at(shown: Iterable[Picture]) -> list[Seen]:
    """Find the motion of one clip."""
    finder, usual, seen = MotionFinder(SIDE, SIDE, SIDE), 0.0, []
    for picture in shown:
        motion = finder(picture.pixels)
        if motion is not None:
            trust = float(motion.trust.mean())
            seen.append(Seen(trust, usual - trust if usual else 0.0, picture.cut))
            usual = 0.0 if seen[-1].taken_for_a_cut else usual_trust(usual, trust)
    return seen


def measure(folder: Path, limit: int) -> list[Finding]:
    """Measure on the clips of a folder, up to `limit` pictures each. Raises Unavailable."""
    return findings({clip.stem: look_at(pictures(clip, limit)) for clip in clips(folder)})


def findings(seen: dict[str, list[Seen]]) -> list[Finding]:
    """Hold both constants against the motion of each clip."""
    cuts = [one for clip in seen.values() for one in clip if one.cut]
    within = {name: [one for one in clip if not one.cut] for name, clip in seen.items()}
    least = {name: min(one.trust for one in clip) for name, clip in within.items() if clip}
    false = {name: sum(one.taken_for_a_cut for one in clip) for name, clip in within.items()}
    found = sum(one.taken_for_a_cut for one in cuts)
    trusts = {f"least trust within a shot, {name}": value for name, value in least.items()}
    trusts["cuts with less"] = sum(one.trust < CUT_TRUST for one in cuts)
    falls = {f"largest fall within a shot, {name}": max(one.fall for one in within[name]) for name in least}
    falls |= {f"pictures taken for cuts, {name}": count for name, count in false.items() if count}
    falls |= {
        "least fall at a cut": min((one.fall for one in cuts if one.fall), default=0.0),
        "cuts": len(cuts),
        "found": found,
    }
    calm = most(value > CUT_TRUST for value in least.values())
    good = most(count <= 1 for count in false.values()) and found >= 0.9 * len(cuts)
    return [
        Finding("cuts.CUT_TRUST", CUT_TRUST, trusts, "within shots of 3 clips in 4 trust stays above it", calm),
        Finding("cuts.CUT_DROP", CUT_DROP, falls, "9 cuts in 10 found, and in 3 clips in 4 one mistake at most", good),
    ]
