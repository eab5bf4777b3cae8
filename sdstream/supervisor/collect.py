"""Reads the counters of a run's stages into a report. Nothing is written here: the counters belong to the stages."""

import math

from sdstream.air.fallback_ladder import Rung
from sdstream.air.pacer import CATCH_UP
from sdstream.ipc.loading import loading
from sdstream.sinks.registry import FACTS, facts_of
from sdstream.sources.decoding.jitter_buffer import REASONS
from sdstream.stages.on_air import on_air
from sdstream.stages.source import DROPS, STATES
from sdstream.supervisor.report import ControlsReport, EngineReport, Report, SinkReport, SourceReport
from sdstream.supervisor.wiring import SinkParts, Wiring


def take(wiring: Wiring, seconds: float, exit_code: int = 0, reason: str = "") -> Report:
    """Return the numbers of the run of `wiring`, `seconds` after the start."""
    source = wiring.source.context.counters
    drops = {name: source.count(name) for name in DROPS}
    drops["engine busy"] = wiring.engine.context.counters.count("dropped")
    present = math.floor(seconds * wiring.rate) + 1  # sinks count from 1
    catch_up = math.ceil(CATCH_UP * wiring.rate)
    sinks = tuple(_sink(parts, present, catch_up) for parts in wiring.sinks)
    restyled = any(sink.restyled for sink in sinks)
    sound = wiring.ring.span()[1] > 0 and bool(wiring.sinks)
    state = STATES[source.count("state")]
    return Report(
        seconds=seconds,
        source=SourceReport(
            frames=source.count("frames"),
            dropped=sum(source.count(name) for name in DROPS),
            reopens=source.count("reopens"),
            state=state,
            reason="" if state == "live" else wiring.dark,
            buffer=source.get("buffer"),
            buffer_at_most=source.get("buffer_bound"),
            buffer_reason=REASONS[source.count("buffer_reason")],
        ),
        engine=_engine(wiring),
        sinks=sinks,
        audio_offset=wiring.sinks[0].stage.context.counters.get("audio_offset") if sound else None,
        drops={name: count for name, count in drops.items() if count},
        latency={"source": wiring.source_latency.summary(), "engine": wiring.engine_latency.summary()},
        controls=ControlsReport(wiring.desk.version, wiring.desk.refused, wiring.desk.remarks),
        on_air=on_air(wiring.on_air) if restyled else None,
        exit_code=exit_code,
        reason=reason,
    )


def _engine(wiring: Wiring) -> EngineReport:
    counters = wiring.engine.context.counters
    working = counters.get("working")
    shown = counters.count("rendered")
    flicker, first = counters.get("flicker"), counters.get("first_at")
    return EngineReport(
        frames=counters.count("frames"),
        skipped=counters.count("skipped"),
        dropped=counters.count("dropped"),
        restarts=wiring.engine.restarts,
        fps=counters.count("steps") / working if working > 0 else 0.0,
        first=first - wiring.epoch if first else None,
        flicker=flicker if shown and math.isfinite(flicker) else None,
        loading=loading(counters),
    )


def _sink(parts: SinkParts, present: int, catch_up: int) -> SinkReport:
    """Read the counters of a sink. More than `catch_up` pictures behind `present`, the sink is away.

    Pictures count as due up to the sink's last picture, or up to `present` if the sink is away.
    """
    counters = parts.stage.context.counters
    rungs = {rung.value: counters.count(rung.value) for rung in Rung}
    rungs_sent = sum(rungs.values())
    first, last = counters.count("first"), counters.count("last")
    away = present - last > catch_up
    showing = "away" if away else list(Rung)[counters.count("rung")].value
    out = parts.stage.failures > 0 and not parts.stage.ready
    facts = {name: counters.get(name) for name in FACTS}
    reached = first > 0 and (facts["connects"] > 0 or "connects" not in facts_of(parts.settings))
    return SinkReport(
        kind=parts.settings.kind,
        name=parts.name,
        due=(present if away else last) - first + 1 if first else 0,
        sent=counters.count("sent"),
        late=counters.count("late"),
        dropped=counters.count("dropped"),
        restarts=parts.stage.restarts,
        latency=parts.latency.summary(),
        showing=showing if rungs_sent else "not connected" if out else "nothing yet",
        facts=facts,
        reached=reached,
        tries=parts.stage.failures if out else 0,
        problem=parts.stage.problem if out else "",
        **rungs,
    )
