"""What can become of a frame that was given to an engine."""

from enum import Enum


class Outcome(Enum):
    """What became of a call."""

    RENDERED = "rendered"
    """A picture came out."""
    FILLING = "filling"
    """Nothing yet: the batch fills, at start or after a change of the number of steps."""
    SKIPPED = "skipped"
    """The picture due now was skipped as still: show the last one again."""
