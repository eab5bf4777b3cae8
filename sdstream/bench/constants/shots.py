"""`cuts.CUT_TRUST` and `cuts.CUT_DROP`: the trust in motion across cuts, and in the wildest motion within shots."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sdstream.bench.constants.finding import ConstantFinding
from sdstream.bench.constants.footage import SIDE, ClipPicture, clips, most, pictures
from sdstream.stabilise.cuts import CUT_DROP, CUT_TRUST, usual_trust
from sdstream.stabilise.motion import MotionFinder


@dataclass(frozen=True)
class PictureMotion:
    """The motion between a picture of a clip and the picture before."""

    trust: float
    """Mean trust."""
    fall: float
    """Usual trust of the shot so far, minus `trust`; 0 while the usual trust is unknown."""
    cut: bool
    """Whether the picture begins a shot."""

    @property
    def taken_for_a_cut(self) -> bool:
        """Whether the stabiliser would find a cut."""
        return self.trust < CUT_TRUST or self.fall > CUT_DROP


def measure_clip(shown: Iterable[ClipPicture]) -> list[PictureMotion]:
    """Return the motion of each picture of a clip but the first."""
    finder, usual, motions = MotionFinder(SIDE, SIDE, SIDE), 0.0, []
    for picture in shown:
        motion = finder(picture.pixels)
        if motion is not None:
            trust = float(motion.trust.mean())
            motions.append(PictureMotion(trust, usual - trust if usual else 0.0, picture.cut))
            usual = 0.0 if motions[-1].taken_for_a_cut else usual_trust(usual, trust)
    return motions


def measure(folder: Path, limit: int) -> list[ConstantFinding]:
    """Measure on the clips of a folder, up to `limit` pictures each. Raises Unavailable."""
    return findings({clip.stem: measure_clip(pictures(clip, limit)) for clip in clips(folder)})


def findings(motions: dict[str, list[PictureMotion]]) -> list[ConstantFinding]:
    """Compare both constants with the motion of each clip."""
    cuts = [motion for clip in motions.values() for motion in clip if motion.cut]
    within = {name: [motion for motion in clip if not motion.cut] for name, clip in motions.items()}
    least = {name: min(motion.trust for motion in clip) for name, clip in within.items() if clip}
    false = {name: sum(motion.taken_for_a_cut for motion in clip) for name, clip in within.items()}
    found = sum(motion.taken_for_a_cut for motion in cuts)
    trusts = {f"least trust within a shot, {name}": value for name, value in least.items()}
    trusts["cuts with less trust than CUT_TRUST"] = sum(motion.trust < CUT_TRUST for motion in cuts)
    falls = {f"largest fall within a shot, {name}": max(motion.fall for motion in within[name]) for name in least}
    falls |= {f"pictures taken for cuts, {name}": count for name, count in false.items() if count}
    falls |= {
        "least fall at a cut": min((motion.fall for motion in cuts if motion.fall), default=0.0),
        "cuts": len(cuts),
        "found": found,
    }
    calm = most(value > CUT_TRUST for value in least.values())
    good = most(count <= 1 for count in false.values()) and found >= 0.9 * len(cuts)
    trust_law = "in 3 clips in 4 the trust within shots stays above the constant"
    drop_law = "9 cuts in 10 are found, and 3 clips in 4 have at most one mistake"
    return [
        ConstantFinding("cuts.CUT_TRUST", CUT_TRUST, trusts, trust_law, calm),
        ConstantFinding("cuts.CUT_DROP", CUT_DROP, falls, drop_law, good),
    ]
