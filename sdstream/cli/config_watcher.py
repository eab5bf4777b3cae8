"""Follows the configuration file of a run: after a save, the changed `controls` of the file change on air."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sdstream.config.load import Reading, lines, read
from sdstream.config.patch import names, path_of, related
from sdstream.config.yaml_tree import Mistake, Plain
from sdstream.errors import ConfigError
from sdstream.log import get_logger
from sdstream.supervisor.control_desk import Desk, Refusal

BY = "file"
_SECTION = "controls"


class ConfigWatcher:
    """Reads the file again after each change. Call `poll` now and then."""

    def __init__(self, path: Path, overrides: Sequence[str] = ()) -> None:
        """Read the file as of now. Make the watcher before the run's settings are read, so that no save is missed.

        `overrides` come from the command line. An override of a control holds until the file changes the same name.
        Raises ConfigError when the file is no YAML mapping.
        """
        self._path = path
        self._overrides = [override for override in overrides if not _of_controls(override)]
        self._seen = (0, 0)
        self._seen = self._stamp()
        reading = read(path, self._overrides)
        self._written, self._config = _controls(reading), reading.config

    def poll(self, desk: Desk) -> None:
        """Pass the changes of a save to the desk.

        A name with a mistake is refused alone, in the log with the position. A file with a mistake elsewhere changes
        nothing. A change outside the controls waits for the next start. The log tells of both.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            reading = read(self._path, self._overrides)
            _check_outside(reading)
        except ConfigError as error:
            get_logger().error("configuration not taken over", mistakes=str(error))
            return
        self._warn_of_fixed_settings(reading)
        before, self._written = self._written, _controls(reading)
        changes = _difference(before, self._written)
        if changes:
            self._patch(desk, changes, reading)

    def _patch(self, desk: Desk, changes: Mapping[str, Plain], reading: Reading) -> None:
        reasons = {name: reason for name in changes if (reason := _mistake(name, reading.mistakes))}
        version = desk.version
        verdict = desk.patch({name: value for name, value in changes.items() if name not in reasons}, BY)
        reasons |= {
            refusal.name: f"{self._position(refusal.name, reading)}: {refusal.reason}" for refusal in verdict.refused
        }
        refused = [Refusal(name, reason, BY) for name, reason in reasons.items()]
        desk.refuse(refused)
        if verdict.version != version:
            get_logger().info("controls taken over", file=str(self._path), version=verdict.version)
        for refusal in refused:
            get_logger().error("control refused", name=refusal.name, reason=refusal.reason)

    def _position(self, name: str, reading: Reading) -> str:
        """Return the position of the name in the file; for a name gone from the file, the file alone."""
        path = (_SECTION, *path_of(name))
        nodes = reading.tree.along(path)
        return str(nodes[-1].key if len(nodes) > len(path) else self._path)

    def _warn_of_fixed_settings(self, reading: Reading) -> None:
        before = self._config
        if reading.config is None or before is None:
            return
        self._config = reading.config
        if reading.config.model_copy(update={_SECTION: before.controls}) != before:
            get_logger().warning(
                "only controls change while on air: the rest waits for the next start", file=str(self._path)
            )

    def _stamp(self) -> tuple[int, int]:
        """Return time and size of the file, or the last stamp while the file is away: editors replace a file."""
        try:
            found = self._path.stat()
        except OSError:
            return self._seen
        return found.st_mtime_ns, found.st_size


def _of_controls(override: str) -> bool:
    return override.partition("=")[0].strip().split(".")[0] == _SECTION


def _controls(reading: Reading) -> dict[str, Plain]:
    """Return the controls in the file, by dotted name, without overrides."""
    written = reading.written.get(_SECTION) if isinstance(reading.written, dict) else None
    flat = names(written) if isinstance(written, dict) else {}
    return {name: value for name, value in flat.items() if value != {}}


def _check_outside(reading: Reading) -> None:
    """Raise ConfigError for mistakes outside the single controls."""
    mapping = isinstance(reading.tree.along((_SECTION,))[-1].value, dict)
    outside = [mistake for mistake in reading.mistakes if not (mapping and related(mistake.path, _SECTION))]
    if outside:
        raise ConfigError(lines(outside))


def _difference(before: Mapping[str, Plain], after: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return the changes of a save: new values by name, None for a removed name."""
    changes = {name: value for name, value in after.items() if name not in before or before[name] != value}
    gone = [name for name in before if not any(related(name, kept) for kept in after)]
    return changes | dict.fromkeys(gone)


def _mistake(name: str, mistakes: Sequence[Mistake]) -> str:
    """Return the first mistake of a control, with the position, or ""."""
    full = f"{_SECTION}.{name}"
    found = [mistake for mistake in mistakes if mistake.path != _SECTION and related(full, mistake.path)]
    return str(replace(found[0], path="" if found[0].path == full else found[0].path)) if found else ""
