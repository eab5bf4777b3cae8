"""The entry of every change of a control: from the file, the command line or the demo; later HTTP, OSC, MIDI, chat.

The desk is the only writer of the controls; the engine and the sinks follow. A patch names the controls to change, so a
patch from the file never undoes a patch from the demo.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdstream.config.abilities import Obstacle, obstacles
from sdstream.config.engine import AnyEngine
from sdstream.config.mistakes.prompt_remarks import Remark, remarks
from sdstream.config.on_air.patch import MAX_DEPTH, is_too_deep, names, patched, related
from sdstream.config.schema import Config
from sdstream.config.sources import AnySource
from sdstream.config.yaml_tree import Plain
from sdstream.controls import Controls
from sdstream.ipc.live_controls import CAPACITY, LiveControls

_DEEP = f"lists and mappings stand in each other more than {MAX_DEPTH} times; no control is that deep"
MAX_REFUSALS = 20
"""Refusals in the status at most: nobody reads a longer list."""


@dataclass(frozen=True)
class Refusal:
    """A refused name of a patch."""

    name: str
    """Dotted, without `controls.`."""
    reason: str
    by: str
    """The origin of the patch, such as `file`."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of a patch."""

    version: int
    """Version of the controls in force."""
    refused: tuple[Refusal, ...]
    remarks: tuple[Remark, ...] = ()
    """What is not understood of the controls in force that the patch names."""


class Desk:
    """Owns the controls of a run; any thread may call the methods."""

    def __init__(self, config: Config) -> None:
        """Begin with the controls of `config`, as version 1."""
        self.live = LiveControls(config.controls)
        """The stages read the controls here."""
        self._engine, self._source = config.engine, config.source
        self._lock = threading.Lock()
        self._now = (1, config.controls)
        self._refused: dict[str, Refusal] = {}
        self._remarks = remarks(config.engine, config.controls)

    @property
    def controls(self) -> Controls:
        """The controls in force."""
        return self._now[1]

    @property
    def version(self) -> int:
        """Version of the controls: counts up from 1 with every accepted change."""
        return self._now[0]

    @property
    def refused(self) -> tuple[Refusal, ...]:
        """The latest refusal of each name still refused, oldest first; at most `MAX_REFUSALS`."""
        with self._lock:
            return tuple(self._refused.values())

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What is not understood of the prompts in force."""
        return self._remarks

    def follow(self, engine: AnyEngine, source: AnySource) -> None:
        """Check patches from now on against the settings of a new engine or source."""
        with self._lock:
            self._engine, self._source = engine, source
            self._remarks = remarks(engine, self.controls)

    def patch(self, changes: Mapping[str, Plain], by: str) -> Verdict:
        """Change controls by dotted name ("prompt", "guidance.scale", "loras.sketch"); `by` is the origin.

        Values are JSON. None puts a name back to the default, or withdraws a refused name. A mapping changes only the
        names in the mapping. All valid names change together, with the same frame; each invalid name is refused
        separately.
        """
        deep = {name: _DEEP for name, value in changes.items() if is_too_deep(value)}
        requested = names({name: value for name, value in changes.items() if name not in deep})
        with self._lock:
            controls, reasons = patched(self.controls, requested, self._obstacles)
            reasons |= deep
            if controls != self.controls:
                if _prompts(controls) != _prompts(self.controls):
                    self._remarks = remarks(self._engine, controls)
                self._now = (self.live.set(controls), controls)
            withdrawn = {name for name in reasons if requested.get(name, _DEEP) is None and name in self._refused}
            refused = tuple(Refusal(name, reason, by) for name, reason in reasons.items() if name not in withdrawn)
            self._forget(requested)
            self._keep(refused)
            told = tuple(remark for remark in self._remarks if any(related(remark.name, name) for name in requested))
            return Verdict(self.version, refused, told)

    def refuse(self, refused: Iterable[Refusal]) -> None:
        """Keep refusals found without a patch, such as a name given twice in a file, for the status."""
        with self._lock:
            self._keep(refused)

    def withdraw(self, mended: Iterable[str], by: str) -> None:
        """Drop the refusals by `by` of the names `mended`, whose values did not change."""
        with self._lock:
            for name in mended:
                if name in self._refused and self._refused[name].by == by:
                    del self._refused[name]

    def _obstacles(self, controls: Controls) -> list[Obstacle]:
        size = len(controls.model_dump_json().encode())
        reason = f"all controls together take {size} bytes, and may take {CAPACITY}; shorten the prompts or the cues"
        too_large = [Obstacle((), reason)] if size > CAPACITY else []
        return [*too_large, *obstacles(self._engine, self._source, controls)]

    def _forget(self, changes: Iterable[str]) -> None:
        """Drop the refusals of names related to `changes`: the new request replaces the refused request."""
        for name in [name for name in self._refused if any(related(name, change) for change in changes)]:
            del self._refused[name]

    def _keep(self, refused: Iterable[Refusal]) -> None:
        for refusal in refused:
            self._refused.pop(refusal.name, None)
            self._refused[refusal.name] = refusal
        for name in list(self._refused)[:-MAX_REFUSALS]:
            del self._refused[name]


def _prompts(controls: Controls) -> tuple[object, ...]:
    return controls.prompt, controls.negative_prompt, controls.cues
