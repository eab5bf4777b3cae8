"""Decides whether a damaged picture is shown: a moment of waiting is better, no picture at all is worse."""

_BEFORE_FIRST = 2.0
_AFTER_CLEAN = 0.5


class DamageFilter:
    """Leaves damaged pictures out for a while, and shows damaged pictures when no clean picture comes.

    A picture whose references are missing is damaged too, until a key frame or a recovery point. Some encoders send no
    key frame ever again after the first.
    """

    def __init__(self) -> None:
        self._patience = _BEFORE_FIRST
        self._clean: tuple[float, float] | None = None  # `now` and pts of the last clean picture, or of the very first

    def shows(self, corrupt: bool, now: float, pts: float | None) -> bool:
        """Tell whether to show a picture. `now` counts for live inputs, `pts` (seconds) for recordings read ahead."""
        here = now, now if pts is None else pts
        if not corrupt or self._clean is None:
            self._clean = here
        if not corrupt:
            self._patience = _AFTER_CLEAN
            return True
        return max(here[0] - self._clean[0], here[1] - self._clean[1]) > self._patience
