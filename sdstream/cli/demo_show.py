"""What happens in the demo besides the daemon's own job: looks follow each other, and pictures are taken."""

import sys
from typing import TYPE_CHECKING

from sdstream.cli.contact_sheet import Album
from sdstream.cli.run import follow

if TYPE_CHECKING:
    from sdstream.supervisor.pipeline import Pipeline
    from sdstream.supervisor.report import Report, SinkReport

PATIENCE = 240.0
"""Seconds until the first restyled picture, which a busy machine may need; the show counts from there."""

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
"""Seconds after which a look is there: the fade, and the frames in flight."""
_RESTYLED = ("live", "held")


class Show:
    """Told each second how the run goes, it leads the show on, and ends it in time."""

    def __init__(self, seconds: float, quiet: bool) -> None:
        """`seconds` count from the first restyled picture."""
        self.album = Album()
        self._seconds, self._quiet = seconds, quiet
        self._tell = follow()
        self._told = False
        self._first: float | None = None

    def each_second(self, pipeline: "Pipeline") -> None:
        """Lead the show on, and end it in time."""
        report = pipeline.report()
        self._tell_of_the_page(report)
        if self._first is None and any(sink.live for sink in report.sinks):
            self._first = report.seconds
        if self._first is not None:
            self._go_on(pipeline, report, report.seconds - self._first)
        if report.seconds >= (PATIENCE if self._first is None else self._first + self._seconds):
            pipeline.stop()
        if not self._quiet:
            self._tell(report)

    def _go_on(self, pipeline: "Pipeline", report: "Report", elapsed: float) -> None:
        """Take a picture of a look that is there, before the next one comes."""
        prompt = pipeline.desk.controls.prompt
        look = LOOKS[int(elapsed / EACH) % len(LOOKS)]
        page = _page(report)
        if elapsed % EACH >= _SETTLED and prompt == look and page and page.showing in _RESTYLED:
            self.album.take(int(page.facts["port"]), look)
        if prompt != look:
            pipeline.desk.patch({"prompt": look}, by="demo")

    def _tell_of_the_page(self, report: "Report") -> None:
        page = _page(report)
        if page and not self._told and not self._quiet:
            print(f"\rWatch it at http://127.0.0.1:{page.facts['port']:.0f}/", file=sys.stderr, flush=True)
            self._told = True


def _page(report: "Report") -> "SinkReport | None":
    """Return the preview page, once it has a port."""
    return next((sink for sink in report.sinks if sink.kind == "preview" and sink.facts["port"]), None)
