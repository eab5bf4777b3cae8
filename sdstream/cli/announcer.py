"""Tells the user of `run` what to type into OBS, when the publisher comes and goes, and of prompts not understood."""

from typing import TYPE_CHECKING

from sdstream.cli.output import tell_line

if TYPE_CHECKING:
    from sdstream.config.schema import Config
    from sdstream.controls import Controls
    from sdstream.supervisor.report import Report


class Announcer:
    """Speaks of a source that waits for a publisher, and of prompts not understood."""

    def __init__(self, config: "Config", *, in_log: bool) -> None:
        """Say what to type; `in_log` logs events instead of lines for people."""
        from sdstream.config.printing.obs import obs_settings
        from sdstream.config.sources import RtmpSourceSettings

        self._in_log = in_log
        self._waits = isinstance(config.source, RtmpSourceSettings) and config.source.listen is not None
        self._here = False
        self._engine = config.engine
        self._controls: Controls | None = None
        if self._waits:
            assert isinstance(config.source, RtmpSourceSettings)
            typed = obs_settings(config.source)
            self._say(f"OBS: Settings > Stream > Service Custom, {typed}; then Start Streaming", "waiting", obs=typed)

    def each_second(self, report: "Report", controls: "Controls") -> None:
        """Say that the publisher came or went, and which new prompt is not understood."""
        if controls != self._controls:
            self._remark(controls)
        here = report.source.state == "live"
        if self._waits and here != self._here:
            text = "the publisher is here" if here else "the publisher sends no picture; waiting for the publisher"
            self._say(text, "publisher is here" if here else "publisher sends no picture", source=report.source.state)
        self._here = here

    def _remark(self, controls: "Controls") -> None:
        from sdstream.config.looks import remarks

        before = [] if self._controls is None else remarks(self._engine, self._controls)
        for remark in remarks(self._engine, controls):
            if remark not in before:
                self._say(f"prompt {remark}", "prompt not understood", remark=remark)
        self._controls = controls

    def _say(self, text: str, event: str, **facts: object) -> None:
        if self._in_log:
            from sdstream.log import get_logger

            get_logger().info(event, **facts)
        else:
            tell_line(text)
