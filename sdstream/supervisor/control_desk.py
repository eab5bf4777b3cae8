"""Where a change of a control enters, from whichever hand: file, command line, demo; later HTTP, OSC, MIDI, chat.

The desk is the one writer of the controls that the engine and the sinks follow. Hands change controls by name, so none
of them undoes what another one set.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdstream.config.abilities import Obstacle, obstacles
from sdstream.config.patch import names, patched, related
from sdstream.config.schema import Config
from sdstream.config.yaml_tree import Plain
from sdstream.controls import Controls
from sdstream.ipc.live_controls import ROOM, LiveControls

KEPT = 20
"""Refusals that the status tells; more names than that are not mended one by one."""


@dataclass(frozen=True)
class Refusal:
    """One name that was not changed."""

    name: str
    """Dotted, without `controls.`."""
    reason: str
    by: str
    """The hand that asked."""


@dataclass(frozen=True)
class Verdict:
    """What came of one request."""

    version: int
    """Number of the controls that hold now."""
    refused: tuple[Refusal, ...]


class Desk:
    """Owns the controls of one run; any thread may call it."""

    def __init__(self, config: Config) -> None:
        """Begin with the controls of `config`, as version 1."""
        self.live = LiveControls(config.controls)
        """What the stages are given to read."""
        self._engine = config.engine
        self._lock = threading.Lock()
        self._now = (1, config.controls)
        self._refused: dict[str, Refusal] = {}

    @property
    def controls(self) -> Controls:
        """The controls that hold now."""
        return self._now[1]

    @property
    def version(self) -> int:
        """Counts up from 1 with every change that was taken over."""
        return self._now[0]

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """The latest refusal of each name that was not changed since, oldest first, at most `KEPT`."""
        with self._lock:
            return tuple(self._refused.values())

    def patch(self, changes: Mapping[str, Plain], by: str) -> Verdict:
        """Change controls by dotted name ("prompt", "guidance.scale", "loras.sketch"), on behalf of the hand `by`.

        Values are JSON; None puts a name back to its default (or withdraws a name that was refused), and a mapping
        changes only the names in it. All valid names change together, with one frame; each of the others is refused
        by itself.
        """
        asked = names(changes)
        with self._lock:
            controls, reasons = patched(self.controls, asked, self._obstacles)
            if controls != self.controls:
                self._now = (self.live.set(controls), controls)
            withdrawn = {name for name in reasons if asked[name] is None and name in self._refused}
            refused = tuple(Refusal(name, reason, by) for name, reason in reasons.items() if name not in withdrawn)
            self._forget(asked)
            self._keep(refused)
            return Verdict(self.version, refused)

    def refuse(self, refused: Iterable[Refusal]) -> None:
        """Keep for the status what a hand found wrong by itself, such as a file that says a name twice."""
        with self._lock:
            self._keep(refused)

    def _obstacles(self, controls: Controls) -> list[Obstacle]:
        size = len(controls.model_dump_json().encode())
        whole = [Obstacle((), f"all controls together take {size} bytes, and may take {ROOM}")] if size > ROOM else []
        return [*whole, *obstacles(self._engine, controls)]

    def _forget(self, changes: Iterable[str]) -> None:
        """Drop the refusals of names that were asked for anew."""
        for name in [name for name in self._refused if any(related(name, change) for change in changes)]:
            del self._refused[name]

    def _keep(self, refused: Iterable[Refusal]) -> None:
        for refusal in refused:
            self._refused.pop(refusal.name, None)
            self._refused[refusal.name] = refusal
        for name in list(self._refused)[:-KEPT]:
            del self._refused[name]
