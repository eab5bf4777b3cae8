"""Carries out a changed configuration in a running show: only the stages that must change get a new process.

A new engine loads beside the running engine and waits for its turn, so that the picture has no gap. Where the second
engine does not fit into memory, the new engine loads alone, and the fallback ladder carries the show.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sdstream.config.on_air.changes import on_air, waits
from sdstream.config.schema import Config
from sdstream.config.sinks import AnySink
from sdstream.errors import ConfigError, Forbidden, SdstreamError, Unavailable
from sdstream.log import get_logger
from sdstream.supervisor.control_desk import Refusal
from sdstream.supervisor.failure import Failure
from sdstream.supervisor.requirements import require
from sdstream.supervisor.stage import Stage
from sdstream.supervisor.wiring import SinkParts, Wiring

LEAVE_WITHIN = 2.0
"""Seconds for a removed sink to close by itself, such as to end a recording; then the process is killed."""
BY = "file"
_FINAL = (Unavailable.exit_code, Forbidden.exit_code, ConfigError.exit_code)


@dataclass(frozen=True)
class _Leaving:
    parts: SinkParts
    deadline: float


class Changeover:
    """Changes the parts of a run; `tick` belongs to the supervisor's loop, `ask` may come from any thread."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._lock = threading.Lock()
        self._asked: Config | None = None
        self._successor: Stage | None = None
        self._before = wiring.config
        self._leaving: list[_Leaving] = []
        self._coming: list[AnySink] = []

    @property
    def stages(self) -> Sequence[Stage]:
        """Stages on the way in and on the way out, beside the stages of the wiring."""
        successor = [self._successor] if self._successor else []
        return [*successor, *(leaving.parts.stage for leaving in self._leaving)]

    def ask(self, config: Config) -> None:
        """Ask for a checked configuration; the newest request counts. The desk follows engine and source at once."""
        with self._lock:
            self._asked = config
            self._wiring.desk.follow(config.engine, config.source)

    def tick(self, now: float) -> None:
        """Go on with the changeover; `now` in monotonic seconds. Never blocks for more than a second."""
        with self._lock:
            asked, self._asked = self._asked, None
        if asked is not None:
            self._begin(asked, now)
        self._let_go(now)
        self._bring_in(now)
        if self._successor is not None:
            self._watch(self._successor, now)

    def _begin(self, asked: Config, now: float) -> None:
        old, new = self._wiring.config, on_air(self._wiring.config, asked)
        if waiting := waits(old, asked):
            get_logger().warning("some changes wait for the next start", settings=", ".join(waiting))
        try:
            require(new)
        except SdstreamError as error:
            self._wiring.desk.follow(old.engine, old.source)
            self._refuse("configuration", str(error))
            return
        self._wiring.config = new
        if new.sinks != old.sinks:
            self._change_sinks(new, now)
        if new.source != old.source:
            self._change_source(old, new)
        if (new.engine, new.stabilise) != (old.engine, old.stabilise):
            self._load_beside(old, now)

    def _change_sinks(self, new: Config, now: float) -> None:
        left, self._coming = list(self._wiring.sinks), []
        for settings in new.sinks:
            same = next((parts for parts in left if parts.settings == settings), None)
            if same is None:
                self._coming.append(settings)
            else:
                left.remove(same)
        for parts in left:
            get_logger().info("sink removed", sink=parts.name)
            parts.stage.stop()
            self._wiring.leave_out(parts.stage)
            self._leaving.append(_Leaving(parts, now + LEAVE_WITHIN))

    def _let_go(self, now: float) -> None:
        for leaving in list(self._leaving):
            if leaving.parts.stage.over or now >= leaving.deadline:
                if problem := leaving.parts.stage.join(now):
                    get_logger().warning("stage did not end well", stage=leaving.parts.name, reason=problem)
                self._leaving.remove(leaving)
                self._wiring.free(leaving.parts)

    def _bring_in(self, now: float) -> None:
        """Start the added sinks, once the removed sinks have given back their devices and ports."""
        if self._leaving:
            return
        for settings in self._coming:
            try:
                parts = self._wiring.add_sink(settings)
            except OSError as error:  # no memory or descriptor is left
                self._refuse("sinks", f"no room for another {settings.kind}: {error}")
                continue
            if parts is None:
                self._refuse("sinks", f"no room for another {settings.kind}; a run takes more sinks at the next start")
                continue
            get_logger().info("sink added", sink=parts.name)
            if failure := parts.stage.try_to_start(now):
                get_logger().warning("stage ended", stage=failure.stage, reason=failure.message)
        self._coming = []

    def _change_source(self, old: Config, new: Config) -> None:
        try:
            self._wiring.change_source(new.source)
        except (SdstreamError, OSError) as error:  # OSError: no descriptor is left
            self._wiring.config = new.model_copy(update={"source": old.source})
            self._wiring.desk.follow(new.engine, old.source)
            self._refuse("source", str(error))

    def _load_beside(self, old: Config, now: float) -> None:
        if self._successor is not None:
            self._successor.kill()
        else:
            self._before = old
        self._successor = None
        try:
            self._successor = self._wiring.next_engine()
        except OSError as error:  # no memory is left
            self._keep_the_engine_before(str(error))
            return
        get_logger().info("new engine loads beside the running engine")
        if failure := self._successor.try_to_start(now):
            self._fall_back(self._successor, failure)

    def _watch(self, successor: Stage, now: float) -> None:
        failure = successor.poll(now)
        if failure is not None:
            self._fall_back(successor, failure)
        elif successor.ready:
            get_logger().info("new engine takes over")
            self._take_over(successor)

    def _take_over(self, successor: Stage) -> None:
        self._successor = None
        self._wiring.engine.kill()
        self._wiring.hand_over(successor)

    def _fall_back(self, successor: Stage, failure: Failure) -> None:
        """Keep the old engine if the new engine can never load; else load the new engine alone."""
        if failure.exit_code not in _FINAL:
            get_logger().warning(
                "no room beside the running engine: the new engine loads alone", reason=failure.message
            )
            self._take_over(successor)
            return
        self._successor = None
        self._keep_the_engine_before(failure.message)

    def _keep_the_engine_before(self, reason: str) -> None:
        before = self._before
        self._wiring.config = self._wiring.config.model_copy(
            update={"engine": before.engine, "stabilise": before.stabilise}
        )
        self._wiring.desk.follow(before.engine, self._wiring.config.source)
        self._refuse("engine", reason)

    def _refuse(self, name: str, reason: str) -> None:
        get_logger().error("change not taken over", part=name, reason=reason)
        self._wiring.desk.refuse([Refusal(name, reason, BY)])
