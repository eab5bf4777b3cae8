"""Leads the demo's show, beside the daemon's own job: changes the look, and takes pictures."""

from typing import TYPE_CHECKING

from sdstream.cli.contact_sheet import ContactSheet
from sdstream.cli.output import tell_line
from sdstream.cli.run import status_printer

if TYPE_CHECKING:
    from sdstream.supervisor.pipeline import Pipeline
    from sdstream.supervisor.report import Report, SinkReport

PATIENCE = 240.0
"""Longest wait for the first restyled picture, in seconds, enough for a busy machine; the show counts from there."""

LOOKS = (
    "starry night, van gogh",
    "ukiyo-e woodblock print",
    "thick oil painting",
    "pencil sketch",
    "pop art comic",
    "watercolor",
    "neon lights",
    "stained glass",
)
EACH = 4.0
"""Seconds of each look."""
_SETTLED = 1.5
"""Seconds until a look is complete: the fade, and the frames in flight."""


class Show:
    """Leads the show, called each second, and ends the run in time."""

    def __init__(self, seconds: float, quiet: bool) -> None:
        """`seconds` count from the first restyled picture."""
        self.sheet = ContactSheet()
        self._seconds, self._quiet = seconds, quiet
        self._print_status = status_printer()
        self._address_printed = False
        self._first: float | None = None

    def each_second(self, pipeline: "Pipeline") -> None:
        """Lead the show on, and end the run in time."""
        report = pipeline.report()
        self._print_address(report)
        if self._first is None and any(sink.live for sink in report.sinks):
            self._first = report.seconds
        if self._first is not None:
            self._change_look(pipeline, report, report.seconds - self._first)
        if report.seconds >= (PATIENCE if self._first is None else self._first + self._seconds):
            pipeline.stop()
        if not self._quiet:
            self._print_status(report)

    def _change_look(self, pipeline: "Pipeline", report: "Report", elapsed: float) -> None:
        """Take a picture of a complete look; change to the next look in time."""
        prompt = pipeline.desk.controls.prompt
        look = LOOKS[int(elapsed / EACH) % len(LOOKS)]
        page = _page(report)
        if elapsed % EACH >= _SETTLED and prompt == look and page and page.restyled:
            self.sheet.add(int(page.facts["port"]), look)
        if prompt != look:
            pipeline.desk.patch({"prompt": look}, by="demo")

    def _print_address(self, report: "Report") -> None:
        page = _page(report)
        if page and not self._address_printed and not self._quiet:
            tell_line(f"Watch it at http://127.0.0.1:{page.facts['port']:.0f}/")
            self._address_printed = True


def _page(report: "Report") -> "SinkReport | None":
    """Return the preview page, once the port is known."""
    return next((sink for sink in report.sinks if sink.kind == "preview" and sink.facts["port"]), None)
