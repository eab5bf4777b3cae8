"""Lays out a report for people: the status line while a run is on air, and the table at the end."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sdstream.cli.output import columns, rendered

if TYPE_CHECKING:
    from rich.table import Table

    from sdstream.ipc.loading import Loading
    from sdstream.stages.on_air import OnAir
    from sdstream.supervisor.report import EngineReport, Percentiles, Report, SinkReport, SourceReport

_STYLES = dict.fromkeys(("held", "camera", "stalled"), "yellow") | dict.fromkeys(
    ("slate", "lost", "not connected"), "red"
)
_STYLES |= {"live": "green"}
"""Colours of a source's states and of a sink's rungs; all other words are plain."""
_HALVES = (
    ("due", "sent", "share", "late", "dropped", "restarts"),
    ("live", "held", "camera", "slate", "p50 ms", "p95 ms", "p99 ms"),
)
_HEAD = ("due", "sent", "share", "live", "held", "camera", "slate", "late", "dropped", "restarts", *_HALVES[1][-3:])
_BAR = 8
"""Columns of the bar in the status line."""
_WIDEST = 112
"""Columns for all numbers of a sink in a single row; on a narrower terminal the numbers stand in two tables."""
_LOUD_AFTER = 5
"""Failed tries in a row of a sink after which the status line tells why."""


def status_line(report: "Report", width: int) -> str:
    """Return one line of at most `width` columns for the terminal on standard error."""
    from rich.text import Text

    line = Text(f"{report.seconds:7.0f} s  source ").append(report.source.state, _STYLES.get(report.source.state))
    if report.source.reason:
        line.append(f" ({_printable(report.source.reason)})")
    if report.source.buffer:
        line.append(f" {report.source.buffer:+.2f} s ({report.source.buffer_reason})")
    if report.engine.loading.over:
        line.append(f"  engine {report.engine.fps:.1f} fps")
    else:
        line.append("  engine ").append(report.engine.loading.text, "yellow").append(_bar(report.engine.loading))
    for sink in report.sinks:
        line.append(f"  {sink.name} ").append(sink.showing, _STYLES.get(sink.showing)).append(f" {sink.share:.1%}")
        if sink.tries >= _LOUD_AFTER:
            line.append(f" {sink.tries} TRIES FAILED: {_printable(sink.problem)}", "bold red")
    if report.controls.refused:
        names = ", ".join(refusal.name for refusal in report.controls.refused)
        line.append(f"  refused: {_printable(names)}", "red")
    if report.on_air:
        line.append(f"  {_on_air(report.on_air)}")
    line.truncate(width)
    return rendered(line, sys.stderr)


def _bar(loading: "Loading") -> str:
    """Return a short bar for the steps done; empty for a phase without steps."""
    done = round(_BAR * max(0, loading.step - 1) / loading.steps) if loading.steps else 0
    return f" {'━' * done}{'╌' * (_BAR - done)}" if loading.steps else ""


def table(report: "Report") -> str:
    """Return the numbers of a run as lines."""
    from rich.console import Group

    ended = f"; ended because {report.reason}" if report.reason else ""
    ended += "" if report.engine.loading.over else f"; the engine was still loading ({report.engine.loading.text})"
    head = f"ran {report.seconds:.1f} s{ended}"
    sinks = _sinks(report, _HEAD) if columns() >= _WIDEST else Group(*(_sinks(report, part) for part in _HALVES))
    return rendered(Group(head, _named(_inputs(report)), sinks, _named(_times(report))), wrap=True)


def _inputs(report: "Report") -> list[tuple[str, str]]:
    source, engine = report.source, report.engine
    why = f" ({_printable(source.reason)})" if source.reason else ""
    restyled = f"{engine.frames} frames, {engine.fps:.1f} fps, {engine.skipped} skipped as still"
    return [
        (
            "source",
            f"{source.frames} frames, {source.dropped} dropped, {source.reopens} reopened, {source.state}"
            f"{why}{_delayed(source)}",
        ),
        ("engine", f"{restyled}, {engine.dropped} dropped, {engine.restarts} restarts{_flicker(engine)}"),
    ]


def _times(report: "Report") -> list[tuple[str, str]]:
    lines = [("air", f"{sink.name}: {counts}") for sink in report.sinks if (counts := _overridden(sink))]
    lines += [("latency", f"{stage}: {_milliseconds(values)}") for stage, values in report.latency.items()]
    if report.audio_offset is not None:
        stamped = "; its timecode is its picture's" if report.sinks[0].kind == "ndi" else ""
        lines.append(("audio", f"{report.audio_offset * 1000:+.1f} ms ahead of the picture{stamped}"))
    if report.drops:
        lines.append(("drops", ", ".join(f"{reason} {count}" for reason, count in report.drops.items())))
    if report.on_air:
        lines.append(("on air", _on_air(report.on_air)))
    refused = [f"{refusal.name}: {refusal.reason} (by {refusal.by})" for refusal in report.controls.refused]
    return lines + [("refused", _printable(line)) for line in refused]


def _printable(text: str) -> str:
    """Return text of unknown origin, with a sign for each letter that a terminal might obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _on_air(on_air: "OnAir") -> str:
    fading = "" if on_air.fading is None else f" (fading in, {on_air.fading:.0%})"
    preparing = f"; preparing {on_air.preparing}" if on_air.preparing else ""
    return _printable(f"“{' '.join(on_air.prompt.split())}”{fading}{preparing}")


def _overridden(sink: "SinkReport") -> str:
    counts = {"bypass": sink.bypass, "frozen": sink.frozen, "black": sink.black}
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def _named(lines: list[tuple[str, str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(style="bold", min_width=8)
    for name, value in lines:
        grid.add_row(name, Text(value))  # Text, because square brackets in a prompt are no markup
    return grid


def _sinks(report: "Report", head: Sequence[str]) -> "Table":
    from rich.table import Table

    rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    rows.add_column("sink", min_width=12)
    for name in head:
        rows.add_column(name, justify="right", no_wrap=True)
    for sink in report.sinks:
        numbers = _numbers(sink)
        rows.add_row(sink.name, *(numbers[name] for name in head))
    return rows


def _numbers(sink: "SinkReport") -> dict[str, str]:
    """Return the cells by the names in _HEAD."""
    counts = ("due", "sent", "live", "held", "camera", "slate", "late", "dropped", "restarts")
    numbers = {name: str(getattr(sink, name)) for name in counts}
    numbers |= {f"{percentile} ms": _ms(seconds) for percentile, seconds in sink.latency.items()}
    return {**dict.fromkeys(_HEAD, "-"), **numbers, "share": f"{sink.share:.2%}"}


def _milliseconds(values: "Percentiles") -> str:
    return ", ".join(f"{name} {_ms(value)} ms" for name, value in values.items())


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f}"


def _delayed(source: "SourceReport") -> str:
    return f", delayed by {source.buffer:.2f} s: {source.buffer_reason}" if source.buffer else ""


def _flicker(engine: "EngineReport") -> str:
    return "" if engine.flicker is None else f", flicker {engine.flicker:.1f} grey levels"
