"""`sdstream check`: lists every mistake of a configuration, or says what the run will need."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream.cli.options import ConfigFile, Json, Overrides
from sdstream.cli.output import rendered, say, say_json
from sdstream.errors import ConfigError, Forbidden, Unavailable
from sdstream.redact import one_line

if TYPE_CHECKING:
    from sdstream.cli.needs import Need
    from sdstream.config.load import Reading
    from sdstream.config.schema import Config
    from sdstream.config.yaml_tree import Mistake


def check(
    config: ConfigFile,
    overrides: Overrides = None,
    show_all: Annotated[bool, typer.Option("--all", help="Print the configuration, with all defaults.")] = False,
    diff: Annotated[
        Path | None,
        typer.Option("--diff", metavar="OLD", help="Say what each change since the configuration OLD does on air."),
    ] = None,
    json: Json = False,
) -> None:
    """List every mistake of a configuration (exit 78) and what a run would refuse (69), or say what a run will need."""
    from sdstream import log
    from sdstream.config.load import accepted, lines, load, read
    from sdstream.config.mistakes.missing import absent
    from sdstream.config.printing.document import effective_yaml

    log.configure("warning")
    if diff is not None:
        _say_changes(load(diff, overrides or ()), load(config, overrides or ()), json)
        return
    if json:
        _check_as_json(config, overrides or [])
        return
    reading = read(config, overrides or ())
    settings = accepted(reading)
    if missing := absent(settings):
        raise Unavailable(missing)
    if refused := _refused(reading):
        raise (Forbidden if all(mistake.forbidden for mistake in refused) else Unavailable)(lines(refused))
    say(effective_yaml(settings) if show_all else _summary(config, settings), end="" if show_all else "\n")


def _refused(reading: "Reading") -> "list[Mistake]":
    """Return what a run would refuse of the engine's files, by their headers, with line and column."""
    from sdstream.config.load import accepted, located
    from sdstream.engine.preflight.refusals import refusals

    return sorted(located(reading.tree, refusals(accepted(reading).engine)))


def _say_changes(old: "Config", new: "Config", json: bool) -> None:
    """Print the effect of each changed setting on a running show."""
    from sdstream.config.on_air.changes import effects

    found = effects(old, new)
    if json:
        say_json({"changes": [{"setting": name, "effect": effect.name.lower()} for name, effect in found]})
    else:
        say("\n".join(f"{name}: {effect}" for name, effect in found) or "no change")


def _check_as_json(config: Path, overrides: list[str]) -> None:
    """Print the result as a single object; exit with the status of a check for people."""
    from sdstream.config.load import accepted, read
    from sdstream.config.mistakes.missing import absent
    from sdstream.config.yaml_tree import YamlError

    try:
        reading = read(config, overrides)
        if reading.config is None:
            _refuse([_as_dict(mistake) for mistake in sorted(set(reading.mistakes))])
        settings = accepted(reading)
    except ConfigError as error:
        cause = error.__cause__
        if isinstance(cause, YamlError):
            _refuse([_as_dict(cause.mistake)])
        _refuse([{"file": str(config), "line": None, "column": None, "path": "", "message": str(error)}])
    missing = absent(settings)
    refused = [] if missing else _refused(reading)
    say_json(_result(settings, missing, refused))
    if missing or refused:
        raise typer.Exit(Unavailable.exit_code)


def _result(settings: "Config", missing: str, refused: "list[Mistake]") -> dict[str, object]:
    from sdstream.cli.needs import needs
    from sdstream.config.mistakes.prompt_remarks import remarks
    from sdstream.config.printing.document import effective

    return {
        "ok": not missing and not refused,
        "missing": missing,
        "refused": [_as_dict(mistake) for mistake in refused],
        "mistakes": [],
        "notes": [remark.text for remark in remarks(settings.engine, settings.controls)],
        "needs": [asdict(need) for need in needs(settings)],
        "configuration": effective(settings),
    }


def _refuse(mistakes: list[dict[str, object]]) -> None:
    say_json({"ok": False, "missing": "", "mistakes": mistakes})
    raise typer.Exit(ConfigError.exit_code)


def _as_dict(mistake: "Mistake") -> dict[str, object]:
    where = mistake.where
    return {
        "file": where.name,
        "line": where.line or None,
        "column": where.column or None,
        "path": mistake.path,
        "message": mistake.message,
    }


def _summary(path: Path, settings: "Config") -> str:
    """Return the answer for people: ok, what each part needs, and the next commands."""
    from sdstream.cli.needs import needs
    from sdstream.config.mistakes.prompt_remarks import remarks

    found = list(needs(settings))
    lines = [f"ok: {path}", _table(found)]
    lines += [f"{need.part}: not installed yet; type: {need.install}" for need in found if need.install]
    lines += [f"note: {remark.text}" for remark in remarks(settings.engine, settings.controls)]
    lines.append(f"next: sdstream doctor {path} looks for all this on this machine; sdstream run {path} goes on air")
    return "\n".join(lines)


def _table(found: "Iterable[Need]") -> str:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for need in found:
        more = " (the run goes on without)" if need.optional else ""
        table.add_row(f"  {need.part}", need.kind, Text(one_line(need.needs or "needs nothing") + more))
    return rendered(table, wrap=True)
