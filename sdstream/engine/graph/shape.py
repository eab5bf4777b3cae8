"""The key of a recorded frame: everything that decides the sizes of the tensors, and nothing else."""

from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

from sdstream.engine.conditioning.condition import Condition
from sdstream.engine.denoising.stream_batch import InFlight, Live
from sdstream.engine.size import Size

L = TypeVar("L")


@dataclass(frozen=True)
class Shape:
    """What a frame is recorded for; every other number may change on air."""

    stages: int
    """Denoising stages, a row each."""
    negatives: int
    """Rows, from the first, with a negative row: 0; 1 (onetime-negative); or all (full)."""
    together: bool
    """Whether all rows attend to each other (paper section 3.2)."""
    stretches: int
    """Stretches of the longest prompt: more tokens need a wider table of keys and values."""
    size: Size
    """(width, height) of the pictures, in pixels."""

    @property
    def rows(self) -> int:
        """Rows of the U-Net's batch."""
        return self.stages + self.negatives


def shape_of(live: Live[Condition, L], stages: int, size: Size, stretch: int) -> Shape | None:
    """Return the shape of a call for the frames `live`, at least one; `stretch` is the number of tokens in a stretch.

    None for a call that no shape describes, as in the few frames after a change: frames with different LoRA weights in
    the same layers, scenes of some of the rows, prompts of two and of three stretches.
    """
    if len({entry.recipe.condition.loras for _, entry in live}) > 1:
        return None
    together = _together(live, stages)
    stretches = _stretches(live, stretch)
    if together is None or stretches is None:
        return None
    return Shape(stages, _negatives(live, stages), together, stretches, size)


def _together(live: Live[Condition, L], stages: int) -> bool | None:
    """Return whether all rows form a scene (True) or every row is alone (False); None for anything between."""
    scenes = Counter(entry.scene for _, entry in live if entry.recipe.together)
    largest = max(scenes.values(), default=1)
    if largest == 1:
        return False
    return True if largest == stages else None


def _negatives(live: Live[Condition, L], stages: int) -> int:
    """Return the negative rows for the guidance of all frames, even of frames past the stages with a negative row.

    So a change of guidance mode and a skipped frame need no shapes of their own.
    """
    guidance = [entry.recipe.sampling.guidance for _, entry in live]
    modes = {each.mode for each in guidance if each.active}
    return stages if "full" in modes else 1 if "onetime_negative" in modes else 0


def _stretches(live: Live[Condition, L], stretch: int) -> int | None:
    """Return the stretches of the longest prompt; None where the length of a prompt is no divisor."""
    found = {prompt // stretch for stage, entry in live for prompt in _lengths(stage, entry)}
    longest = max(found)
    return longest if all(longest % length == 0 for length in found) else None


def _lengths(stage: int, entry: InFlight[Condition, L]) -> list[int]:
    condition = entry.recipe.condition
    negative = [len(condition.negative.tokens)] if entry.recipe.sampling.guidance.needs_negative(stage) else []
    return [len(condition.positive.tokens), *negative]
