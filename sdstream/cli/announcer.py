"""Tells the user of `run` what to type into OBS, when the publisher comes and goes, and of prompts not understood."""

from typing import TYPE_CHECKING

from sdstream.cli.output import tell_line

if TYPE_CHECKING:
    from sdstream.config.mistakes.prompt_remarks import Remark
    from sdstream.config.schema import Config
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
        self._remarks: tuple[Remark, ...] = ()
        if self._waits:
            assert isinstance(config.source, RtmpSourceSettings)
            typed = obs_settings(config.source)
            self._say(f"OBS: Settings > Stream > Service Custom, {typed}; then Start Streaming", "waiting", obs=typed)

    def each_second(self, report: "Report") -> None:
        """Say that the publisher came or went, and which new prompt is not understood."""
        for remark in report.controls.remarks:
            if remark not in self._remarks:
                self._say(f"{remark.name} {remark.text}", "prompt not understood", name=remark.name, remark=remark.text)
        self._remarks = report.controls.remarks
        here = report.source.state == "live"
        if self._waits and here != self._here:
            text = "the publisher is here" if here else "the publisher sends no picture; waiting for the publisher"
            self._say(text, "publisher is here" if here else "publisher sends no picture", source=report.source.state)
        self._here = here

    def _say(self, text: str, event: str, **facts: object) -> None:
        if self._in_log:
            from sdstream.log import get_logger

            get_logger().info(event, **facts)
        else:
            tell_line(text)
