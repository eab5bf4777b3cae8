"""What the handlers do with controls and presets; knows no HTTP."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from sdstream.config.abilities import Obstacle
from sdstream.config.on_air.patch import names, patched, related
from sdstream.control.preset_fade import PresetFade
from sdstream.control.presets import Presets, Values
from sdstream.control.supervisor import Busy, Supervisor
from sdstream.controls import Controls
from sdstream.log import get_logger

FADES_A_SECOND = 25.0
"""Changes a second during a crossfade to a preset."""
_KEPT_OUT = ("air",)  # recalling a preset must not end a bypass


def _no_obstacles(controls: Controls) -> Sequence[Obstacle]:  # noqa: ARG001 - the signature of a check
    return ()


class Desk:
    """Patches controls, and brings presets on air; for a single event loop."""

    def __init__(self, supervisor: Supervisor, presets: Presets) -> None:
        self._supervisor, self.presets = supervisor, presets
        self._fade: PresetFade | None = None
        self._fading: asyncio.Task[None] | None = None

    @property
    def fading(self) -> bool:
        """Whether a crossfade to a preset is running."""
        return self._fade is not None

    async def patch(self, changes: Values, by: str) -> dict[str, Any]:
        """Change controls; a running crossfade leaves the named controls alone. Raises Busy."""
        if self._fade is not None:
            self._fade.give_way(names(changes))
        return await self._supervisor.patch(changes, by)

    def save(self, name: str, values: Values | None, only: Sequence[str]) -> Values:
        """Keep a preset and return the values: `values`, or the present controls; `only` names parts of the controls.

        Raises ValueError for a name or value that no control takes, and above the limits of presets.
        """
        _, controls = self._supervisor.controls
        if values is None:
            flat = {key: value for key, value in names(controls.model_dump(mode="json")).items() if value != {}}
            wanted = only or [key for key in flat if key not in _KEPT_OUT]
            unknown = [part for part in wanted if not any(related(part, key) for key in flat)]
            if unknown:
                raise ValueError(f"no control {unknown[0]!r}")
            flat = {key: value for key, value in flat.items() if any(related(part, key) for part in wanted)}
        else:
            flat = names(values)
            _, wrong = patched(Controls(), flat, _no_obstacles)
            if wrong:
                raise ValueError("; ".join(f"{key}: {why}" for key, why in wrong.items()))
        self.presets.save(name, flat)
        return flat

    async def recall(self, name: str, seconds: float) -> dict[str, Any]:
        """Bring a preset on air over `seconds`; return the outcome of the first changes. Raises KeyError, Busy."""
        preset = self.presets.all[name]
        await self.stop()
        _, controls = self._supervisor.controls
        fade = PresetFade(controls.model_dump(mode="json"), preset, time.monotonic(), seconds)
        verdict = await self._supervisor.patch(fade.at(time.monotonic()), "preset")
        if not fade.done:
            self._fade = fade
            self._fading = asyncio.create_task(self._run(fade))
        return verdict

    async def stop(self) -> None:
        """End a running crossfade where the crossfade is."""
        if self._fading is not None:
            self._fading.cancel()
            await asyncio.gather(self._fading, return_exceptions=True)
        self._fade = self._fading = None

    async def _run(self, fade: PresetFade) -> None:
        while not fade.done:
            await asyncio.sleep(1 / FADES_A_SECOND)
            changes = fade.at(time.monotonic())
            if not changes:
                continue
            try:
                await self._supervisor.patch(changes, "preset")
            except Busy as busy:
                get_logger().warning("crossfade to a preset held up", reason=str(busy))
        if self._fade is fade:
            self._fade = None
