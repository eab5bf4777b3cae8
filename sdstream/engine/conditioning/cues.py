"""The prompt due at a given time, and the progress of the crossfade to the prompt. Time is an argument."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sdstream.controls import Controls, Prompt

T = TypeVar("T")


def due(controls: Controls, elapsed: float) -> tuple[Prompt, float]:
    """Return the prompt `elapsed` seconds after the controls took effect, and the seconds of the prompt's crossfade."""
    if controls.cues_loop and controls.cues:
        elapsed %= controls.cues_loop
    prompt, transition = controls.prompt, controls.transition
    for cue in controls.cues:
        if cue.at <= elapsed:
            prompt, transition = cue.prompt, cue.transition
    return prompt, transition


class Crossfade(Generic[T]):
    """Fades from the value shown to each new target. A crossfade that starts in mid-fade starts from the mixture shown.

    Targets are compared by identity. A new target after `restart` is shown at once.
    """

    def __init__(self) -> None:
        self._shown: T | None = None
        self._start: T | None = None
        self._target: T | None = None
        self._began = 0.0
        self.share: float | None = None
        """Progress of the crossfade at the last call of `at`, 0 to 1; None when no crossfade was running."""

    def at(self, now: float, target: T, seconds: float, mix: Callable[[Sequence[tuple[T, float]]], T]) -> T:
        """Return the value to show at `now` (seconds): `mix` of two values during the crossfade, `target` afterwards.

        `seconds` is the length of the crossfade.
        """
        if target is not self._target:
            self._start, self._target, self._began = self._shown, target, now
        start = self._start
        done = min(1.0, max(0.0, (now - self._began) / seconds)) if seconds > 0 else 1.0
        if start is None or done >= 1.0:
            self._shown, self._start, self.share = target, None, None
            return target
        self.share = done
        self._shown = mix([(start, 1.0 - done), (target, done)]) if done > 0 else start
        return self._shown

    def restart(self) -> None:
        """Forget the value shown."""
        self._shown = self._start = self._target = None
