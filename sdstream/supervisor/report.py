"""What a run did, in numbers. Times are seconds. How people see a report is in `cli.report_table`."""

from dataclasses import asdict, dataclass, field
from typing import Any

from sdstream.stages.on_air import OnAir
from sdstream.supervisor.control_desk import Refusal

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
    """What one sink sent, by rung of its ladder and by override; `due` fell due since its first picture.

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
    """Rung or override that it sent last; `away` while its process is down or held up."""
    facts: dict[str, float] = field(default_factory=dict)
    bypass: int = 0
    frozen: int = 0
    black: int = 0
    """Pictures that the control `air` asked for; they are in none of the counts by rung."""

    @property
    def share(self) -> float:
        """Share of the due pictures that were sent, 0-1; 1 when none was due."""
        return self.sent / self.due if self.due else 1.0


@dataclass(frozen=True)
class ControlsReport:
    """What was asked for while on air."""

    version: int
    """Counts up from 1 with every change that was taken over."""
    refused: tuple[Refusal, ...] = ()
    """The latest refusal of each name that was not changed since."""


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
    controls: ControlsReport
    on_air: OnAir | None = None
    """The prompt of the restyled picture that is on air; None while no sink shows one."""
    exit_code: int = 0
    reason: str = ""
    """Why the run ended, when it did not end as asked."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `sdstream run --json`."""
        whole = asdict(self)
        whole["audio"] = {"offset": whole.pop("audio_offset")}
        whole["sinks"] = [sink | sink.pop("facts") for sink in whole["sinks"]]
        return whole
