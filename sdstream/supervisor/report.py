"""The numbers of a run. Times are seconds. `cli.report_table` prints a report for people."""

from dataclasses import asdict, dataclass, field
from typing import Any

from sdstream.air.fallback_ladder import Rung
from sdstream.config.mistakes.prompt_remarks import Remark
from sdstream.ipc.loading import LOADED, Loading
from sdstream.stages.on_air import OnAir
from sdstream.supervisor.control_desk import Refusal

Percentiles = dict[str, float | None]
_RESTYLED = (Rung.LIVE.value, Rung.HELD.value)


@dataclass(frozen=True)
class SourceReport:
    """The pictures from the source."""

    frames: int
    dropped: int
    reopens: int
    state: str
    reason: str = ""
    """Why no RTMP publisher is shown; empty while pictures come, or when nothing is known to be missing."""
    buffer: float = 0.0
    """Seconds by which live pictures are delayed now (see `source.buffer`)."""
    buffer_at_most: float = 0.0
    """Longest such delay."""
    buffer_reason: str = ""
    """Why pictures are delayed; empty while they are not."""


@dataclass(frozen=True)
class EngineReport:
    """The engine's pictures. `fps`: new pictures, divided by the seconds with both an engine and a source."""

    frames: int
    skipped: int
    dropped: int
    restarts: int
    fps: float
    first: float | None
    """Seconds from the start of the run to the engine's first picture; None before the first picture."""
    flicker: float | None
    """Flicker of the last picture: E_warp (see docs), RMS grey levels; None while the picture is not steadied."""
    loading: Loading = LOADED
    """How far the loading has come; phase `running` once the engine is loaded."""


@dataclass(frozen=True)
class SinkReport:
    """The pictures of a sink, by rung of the fallback ladder and by override; `due` counts from the first picture.

    `held` pictures were sent before. `dropped` pictures were live, but a newer live picture came before the tick.
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
    """Rung or override of the last picture sent; `away` while the sink's process is down or held up; `not connected`
    while every try to open the sink has failed."""
    reached: bool = False
    """Whether the sink took a picture in this run; beside a recording, whether the server was reached."""
    tries: int = 0
    """Failed tries in a row to open the sink; 0 while the sink is open."""
    problem: str = ""
    """Why the last try failed; empty while the sink is open."""
    facts: dict[str, float] = field(default_factory=dict)
    bypass: int = 0
    frozen: int = 0
    black: int = 0
    """`bypass`, `frozen` and `black` count the pictures of the control `air`; no count by rung includes them."""

    @property
    def share(self) -> float:
        """Sent pictures as a share of due pictures, 0-1; 0 for a sink without a picture."""
        return self.sent / self.due if self.due else 0.0

    @property
    def restyled(self) -> bool:
        """Whether the last picture sent was restyled."""
        return self.showing in _RESTYLED


@dataclass(frozen=True)
class ControlsReport:
    """The changes of controls while on air."""

    version: int
    """Version of the controls: counts up from 1 with every accepted change."""
    refused: tuple[Refusal, ...] = ()
    """The latest refusal of each name still refused."""
    remarks: tuple[Remark, ...] = ()
    """What is not understood of the prompts in force."""


@dataclass(frozen=True)
class Report:
    """The numbers of a run so far."""

    seconds: float
    source: SourceReport
    engine: EngineReport
    sinks: tuple[SinkReport, ...]
    audio_offset: float | None
    """Seconds by which sound leaves the first sink ahead of the picture; None without sound. NDI's timecodes make up
    for the offset: a receiver obeying timecodes, as OBS does, plays sound and picture at the same time."""
    drops: dict[str, int]
    latency: dict[str, Percentiles]
    """By stage: `source` from capture to mailbox, `engine` from mailbox to mailbox. For capture to send, see
    `SinkReport.latency`."""
    controls: ControlsReport
    on_air: OnAir | None = None
    """The prompt of the restyled picture on air; None while no sink shows a restyled picture."""
    aired: float = 0.0
    """Seconds since the engine was loaded and the sinks were open; 0 while the engine still loads."""
    exit_code: int = 0
    reason: str = ""
    """Why the run ended; empty when the run ended as requested."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of `sdstream run --json`."""
        report = asdict(self)
        report["audio"] = {"offset": report.pop("audio_offset")}
        report["sinks"] = [sink | sink.pop("facts") for sink in report["sinks"]]
        return report
