"""What a service manager hears of a run. The watchdog is fed by the output clock alone: a run that loads a model for
minutes is alive while the slate goes out, and a run without pictures is dead, whatever else works."""

from sdstream.supervisor.report import Report


class ServiceNotice:
    """Turns reports into notices; call `of` about once a second."""

    def __init__(self) -> None:
        self._sent = 0
        self._ready = False

    def of(self, report: Report) -> list[str]:
        """Return the notices due: `READY=1` once every required output sends, `WATCHDOG=1` while pictures go out."""
        facts = [f"STATUS=source {report.source.state}, " + ", ".join(f"{s.name} {s.showing}" for s in report.sinks)]
        sent = sum(sink.sent for sink in report.sinks)
        if sent > self._sent:
            facts.append("WATCHDOG=1")
        self._sent = sent
        if not self._ready and report.sinks and all(sink.sent for sink in report.sinks):
            self._ready = True
            facts.append("READY=1")
        return facts
