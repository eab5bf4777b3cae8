"""What a run did, in numbers: for people as a table, for machines as JSON. Times are seconds."""

from dataclasses import asdict, dataclass, field
from typing import Any

Percentiles = dict[str, float | None]


@dataclass(frozen=True)
class SourceReport:
    """What came in."""

    frames: int
    dropped: int
    reopens: int
    state: str


@dataclass(frozen=True)
class EngineReport:
    """What was restyled. `fps`: pictures that left, over the time in which there were an engine and a source."""

    frames: int
    skipped: int
    dropped: int
    restarts: int
    fps: float
    first: float | None
    """Seconds from the start of the run to the first picture that left; None before it."""
    flicker: float | None
    """What flickers in the last picture: E_warp (see docs), RMS grey levels; None while it is not steadied."""


@dataclass(frozen=True)
class SinkReport:
    """What one sink sent, by rung of its ladder; `due` fell due since its first picture.

    `held` pictures were sent before; `dropped` ones were live, and replaced by newer ones before their time came.
    """

    kind: str
    name: str
    due: int
    sent: int
    live: int
    held: int
    camera: int
    slate: int
    late: int
    dropped: int
    restarts: int
    latency: Percentiles
    showing: str = "nothing yet"
    """Rung that it sent last; `away` while its process is down or held up."""
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of the due pictures that were sent, 0-1; 1 when none was due."""
        return self.sent / self.due if self.due else 1.0


@dataclass(frozen=True)
class Report:
    """The numbers of one run, or of the part of it that is over."""

    seconds: float
    source: SourceReport
    engine: EngineReport
    sinks: tuple[SinkReport, ...]
    audio_offset: float | None
    """Seconds that sound leaves the first sink ahead of its picture; None without sound. NDI's timecodes make up for
    it: a receiver that goes by them, as OBS does, puts both at the same time."""
    drops: dict[str, int]
    latency: dict[str, Percentiles]
    """By stage: `source` capture to mailbox, `engine` mailbox to mailbox; a sink has the whole way."""
    exit_code: int = 0
    reason: str = ""
    """Why the run ended, when it did not end as asked."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `sdstream run --json`."""
        whole = asdict(self)
        whole["audio"] = {"offset": whole.pop("audio_offset")}
        whole["sinks"] = [sink | sink.pop("facts") for sink in whole["sinks"]]
        return whole


def status_line(report: Report) -> str:
    """Return one line for a terminal, as the show goes on."""
    sinks = "  ".join(f"{sink.name} {sink.showing} {sink.share:.1%}" for sink in report.sinks)
    engine, source = report.engine, report.source
    return f"{report.seconds:7.0f} s  source {source.state}  engine {engine.fps:.1f} fps  {sinks}"


def table(report: Report) -> str:
    """Return the report as lines for people."""
    source, engine = report.source, report.engine
    lines = [
        f"ran {report.seconds:.1f} s" + (f"; ended because {report.reason}" if report.reason else ""),
        f"source   {source.frames} frames, {source.dropped} dropped, {source.reopens} reopened, {source.state}",
        f"engine   {engine.frames} frames, {engine.fps:.1f} fps, {engine.skipped} skipped as still, "
        f"{engine.dropped} dropped, {engine.restarts} restarts{_flicker(engine)}",
    ]
    head = f"{'sink':<14}{'due':>7}{'sent':>7}{'share':>8}{'live':>7}{'held':>6}{'camera':>8}{'slate':>7}{'late':>6}"
    lines.append(head + f"{'dropped':>9}{'restarts':>10}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}")
    lines += [_row(sink) for sink in report.sinks]
    lines += [f"latency  {stage}: {_milliseconds(values)}" for stage, values in report.latency.items()]
    if report.audio_offset is not None:
        stamped = "; its timecode is its picture's" if report.sinks[0].kind == "ndi" else ""
        lines.append(f"audio    {report.audio_offset * 1000:+.1f} ms ahead of the picture{stamped}")
    if report.drops:
        lines.append("drops    " + ", ".join(f"{reason} {count}" for reason, count in report.drops.items()))
    return "\n".join(lines)


def _row(sink: SinkReport) -> str:
    counts = f"{sink.live:>7}{sink.held:>6}{sink.camera:>8}{sink.slate:>7}{sink.late:>6}{sink.dropped:>9}"
    late = "".join(f"{_ms(sink.latency.get(f'p{percent}')):>8}" for percent in (50, 95, 99))
    return f"{sink.name:<14}{sink.due:>7}{sink.sent:>7}{sink.share:>8.2%}{counts}{sink.restarts:>10}{late}"


def _milliseconds(values: Percentiles) -> str:
    return ", ".join(f"{name} {_ms(value)} ms" for name, value in values.items())


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f}"


def _flicker(engine: EngineReport) -> str:
    return "" if engine.flicker is None else f", flicker {engine.flicker:.1f} grey levels"
