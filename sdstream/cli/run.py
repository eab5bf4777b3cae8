"""`sdstream run`: puts a configuration on air."""

import shutil
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import typer

from sdstream.cli.options import ConfigFile, Json, LogJson, Overrides, Quiet, Seconds, Verbose
from sdstream.cli.output import say, say_json

if TYPE_CHECKING:
    from sdstream.config.schema import Config
    from sdstream.supervisor.report import Report

STATUS_EVERY = 10
"""Seconds between two status lines in a log; on a terminal, a single line changes each second."""


def run(
    config: ConfigFile,
    overrides: Overrides = None,
    seconds: Seconds = None,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    log_json: LogJson = False,
) -> None:
    """Put a configuration on air, until Ctrl-C or for --for SECONDS."""
    from sdstream import log
    from sdstream.cli.announcer import Announcer
    from sdstream.cli.config_follower import following
    from sdstream.cli.config_watcher import ConfigWatcher
    from sdstream.config.load import accepted
    from sdstream.log import LogChoice
    from sdstream.supervisor.pipeline import Pipeline
    from sdstream.supervisor.service_notice import ServiceNotice
    from sdstream.system.notify_socket import NotifySocket

    logs = LogChoice("debug" if verbose else "error" if quiet else "info", log_json)
    log.configure(logs.level, json=logs.json)
    watcher = ConfigWatcher(config, overrides or ())
    settings = accepted(watcher.first)
    pipeline = Pipeline(with_state_folder(settings), logs)
    print_status = None if quiet else status_printer(in_log=log_json)
    announcer = None if quiet else Announcer(settings, in_log=log_json)
    notice, service = ServiceNotice(), NotifySocket()

    def each_second(pipeline: Pipeline) -> None:
        report = pipeline.report()
        service.tell(*notice.of(report))
        if print_status and announcer:
            announcer.each_second(report)
            print_status(report)

    def each_turn() -> None:
        if seconds is not None and pipeline.aired >= seconds:
            pipeline.stop()

    def change(config: "Config") -> None:
        pipeline.change(with_state_folder(config))

    with following(watcher, pipeline.desk, change):
        report = pipeline.run(None, each_second, each_turn)
    service.tell("STOPPING=1")
    finish(report, json)


def with_state_folder(config: "Config") -> "Config":
    """Return `config` with a folder for the stabiliser's state, so that a run begins with the state of the last."""
    if config.stabilise.state is not None:
        return config
    from sdstream.system.user_folders import state_folder

    stabilise = config.stabilise.model_copy(update={"state": state_folder()})
    return config.model_copy(update={"stabilise": stabilise})


def finish(report: "Report", json: bool, more: Mapping[str, object] | None = None) -> None:
    """Print the report and `more` facts; exit with the report's status when the run ended against the user's wish."""
    from sdstream import log
    from sdstream.cli.report_table import table
    from sdstream.redact import shown

    if sys.stderr.isatty():
        log.tell("\r\x1b[K", end="")
    log.flush()
    if json:
        say_json(report.as_dict() | dict(more or {}))
    else:
        lines = [_line(name, value) for name, value in (more or {}).items() if value is not None]
        say("\n".join([table(report), *lines]))
    if report.exit_code:
        log.tell(shown(report.reason))
        raise typer.Exit(report.exit_code)


def _line(name: str, value: object) -> str:
    return f"{name.replace('_', ' '):<15}{value}{' s' if isinstance(value, float) else ''}"


def status_printer(*, in_log: bool = False) -> "Callable[[Report], None]":
    """Return a function to call each second: rewrites a line on a terminal, else logs a line now and then."""
    return _status_line if sys.stderr.isatty() and not in_log else _status_log(in_json=in_log)


def _status_line(report: "Report") -> None:
    from sdstream.cli.report_table import status_line
    from sdstream.log import tell

    width = shutil.get_terminal_size().columns - 1
    tell(f"\r\x1b[K{status_line(report, width)}", end="")


def _facts(report: "Report") -> dict[str, object]:
    """Return the state of the run; the keys are the same in every run."""
    return {
        "source": report.source.state,
        "engine": report.engine.loading.text,
        "engine_fps": round(report.engine.fps, 1),
        "sinks": [{"name": sink.name, "showing": sink.showing, "share": round(sink.share, 4)} for sink in report.sinks],
        "prompt": report.on_air.prompt if report.on_air else None,
        "refused": [refusal.name for refusal in report.controls.refused],
    }


def _short_facts(report: "Report") -> dict[str, object]:
    """Return the state of the run for people: lists as text, and nothing empty."""
    facts = _facts(report)
    facts["sinks"] = ", ".join(f"{sink.name} {sink.showing} {sink.share:.2%}" for sink in report.sinks)
    facts["refused"] = ", ".join(refusal.name for refusal in report.controls.refused)
    return {key: value for key, value in facts.items() if value not in ("", None)}


def _status_log(*, in_json: bool) -> "Callable[[Report], None]":
    calls = 0

    def log_status(report: "Report") -> None:
        nonlocal calls
        calls += 1
        if calls % STATUS_EVERY == 0:
            from sdstream.log import get_logger

            get_logger().info("on air", **(_facts(report) if in_json else _short_facts(report)))

    return log_status
