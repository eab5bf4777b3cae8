"""Numbers on their way to a new value: a knob has 128 positions, and a jump of a number is a jump of the picture."""

from dataclasses import dataclass


@dataclass(frozen=True)
class _Way:
    start: float
    end: float
    began: float
    seconds: float

    def at(self, now: float) -> float:
        share = min(1.0, (now - self.began) / self.seconds) if self.seconds > 0 else 1.0
        return self.end if share >= 1 else self.start + (self.end - self.start) * share


class Glides:
    """The numbers of controls that move in a straight line. Time is an argument (monotonic seconds)."""

    def __init__(self) -> None:
        self._ways: dict[str, _Way] = {}

    def __contains__(self, name: str) -> bool:
        """Tell whether a number is on the way."""
        return name in self._ways

    def go(self, name: str, present: float, end: float, seconds: float, now: float) -> None:
        """Move a number to `end` within `seconds`, from where the number is: on an older way, or at `present`."""
        way = self._ways.get(name)
        self._ways[name] = _Way(way.at(now) if way else present, end, now, seconds)

    def stop(self, name: str) -> None:
        """Leave a number where the number is."""
        self._ways.pop(name, None)

    def at(self, now: float) -> dict[str, float]:
        """Return the numbers at `now`; a number that has arrived is returned for the last time."""
        values = {name: way.at(now) for name, way in self._ways.items()}
        self._ways = {name: way for name, way in self._ways.items() if now < way.began + way.seconds}
        return values
