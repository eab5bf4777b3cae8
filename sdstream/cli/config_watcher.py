"""Follows the configuration file of a run: after a save, the changed settings of the file change on air."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from sdstream.config.file_text import read_text
from sdstream.config.load import MAX_SHOWN, Reading, apart_from_controls, lines, read, schema_paths, understand
from sdstream.config.mistakes.explain import explain
from sdstream.config.on_air.patch import names, path_of, related
from sdstream.config.schema import Config
from sdstream.config.yaml_tree import Mistake, Plain
from sdstream.errors import ConfigError, SdstreamError
from sdstream.log import get_logger
from sdstream.supervisor.control_desk import Desk, Refusal

BY = "file"
WHOLE = "configuration"
"""The name, among the refused controls of the status, of a file that cannot be taken over as a whole."""
MAX_NAMES = 1_000
"""Controls in a file at most; a run has fewer than a hundred."""
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
        self._seen = self._noticed = (0, 0, 0)
        self._seen = self._noticed = self._stamp()
        text = read_text(path)  # once: a pipe can be read only once
        self.first = understand(text, str(path), overrides)
        """The file as the run begins, with all overrides."""
        reading = understand(text, str(path), self._overrides)
        self._written = _controls(reading)
        self._accepted = set(self._written)
        self._mistakes = _by_name(reading.mistakes)
        self._fixed: Config | None = None
        with suppress(ConfigError):  # the run's own reading tells all mistakes at once
            self._fixed = _fixed_settings(reading)

    def poll(self, desk: Desk, change: Callable[[Config], None]) -> None:
        """Pass the changes of a save to the desk, and settings besides the controls to `change`.

        A name with a mistake is refused alone, in the log with the position. A file with a mistake elsewhere changes
        nothing. The log tells of both. A save counts at the second poll that sees the save: an editor may be in the
        middle of writing at the first poll.
        """
        if not self._saved():
            return
        try:
            reading = read(self._path, self._overrides)
            fixed = _fixed_settings(reading)
        except SdstreamError as error:
            self.refuse_whole(desk, str(error))
            return
        desk.withdraw([WHOLE], BY)
        before_this, self._fixed = self._fixed, fixed
        if before_this is not None and fixed != before_this:
            change(fixed)  # first: the controls of the same save may name a LoRA of the new engine
        before, self._written = self._written, _controls(reading)
        changes = _difference(before, self._written, self._accepted)
        desk.withdraw([old.name for old in desk.refused if not _any_related(old.name, self._written)], BY)
        self._tell_of_unchanged(desk, changes, reading)
        if changes:
            self._patch(desk, changes, reading)

    def refuse_whole(self, desk: Desk, mistakes: str) -> None:
        """Tell in the log and in the status that the saved file changes nothing."""
        get_logger().error("configuration not taken over", mistakes=mistakes)
        desk.refuse([Refusal(WHOLE, mistakes.partition("\n")[0], BY)])

    def _saved(self) -> bool:
        """Tell whether there is a save that two polls in a row have seen."""
        before, self._noticed = self._noticed, self._stamp()
        if self._noticed == self._seen or self._noticed != before:
            return False
        self._seen = self._noticed
        return True

    def _tell_of_unchanged(self, desk: Desk, changes: Mapping[str, Plain], reading: Reading) -> None:
        """Refuse names with the old value and a new mistake, such as a second line; withdraw mended names."""
        before, self._mistakes = self._mistakes, _by_name(reading.mistakes)
        mended = [name for name in before if name not in self._mistakes and not _any_related(name, changes)]
        desk.withdraw(mended, BY)
        new = {
            name: str(replace(mistake, path=""))
            for name, mistake in self._mistakes.items()
            if not _any_related(name, changes) and (name not in before or before[name].message != mistake.message)
        }
        _refuse(desk, new)

    def _patch(self, desk: Desk, changes: Mapping[str, Plain], reading: Reading) -> None:
        reasons = {name: reason for name in changes if (reason := _mistake(name, reading.mistakes))}
        version = desk.version
        verdict = desk.patch({name: value for name, value in changes.items() if name not in reasons}, BY)
        reasons |= {
            refusal.name: f"{self._position(refusal.name, reading)}: {refusal.reason}" for refusal in verdict.refused
        }
        self._accept(changes, reasons)
        if verdict.version != version:
            get_logger().info("controls taken over", file=str(self._path), version=verdict.version)
        _refuse(desk, reasons)

    def _accept(self, changes: Mapping[str, Plain], refused: Iterable[str]) -> None:
        """Keep account of the names with a value of the file's on air: a refused name keeps the older value."""
        taken = changes.keys() - set(refused)
        self._accepted = {name for name in self._accepted if not _any_related(name, taken)}
        self._accepted |= taken & self._written.keys()

    def _position(self, name: str, reading: Reading) -> str:
        """Return the position of the name in the file; for a name gone from the file, the file alone."""
        path = (_SECTION, *path_of(name))
        nodes = reading.tree.along(path)
        return str(nodes[-1].key if len(nodes) > len(path) else self._path)

    def _stamp(self) -> tuple[int, int, int]:
        """Return time, size and inode of the file, or the last stamp while the file is away: editors replace a file."""
        try:
            found = self._path.stat()
        except OSError:
            return self._seen
        return found.st_mtime_ns, found.st_size, found.st_ino


def _of_controls(override: str) -> bool:
    return override.partition("=")[0].strip().split(".")[0] == _SECTION


def _controls(reading: Reading) -> dict[str, Plain]:
    """Return the controls in the file, by dotted name, without overrides."""
    written = reading.written.get(_SECTION) if isinstance(reading.written, dict) else None
    flat = names(written) if isinstance(written, dict) else {}
    return {name: value for name, value in flat.items() if value != {}}


def _fixed_settings(reading: Reading) -> Config:
    """Return the settings with default controls. Raises ConfigError for mistakes outside the single controls."""
    data = reading.tree.plain()
    mapping = isinstance(reading.tree.along((_SECTION,))[-1].value, dict)
    outside = [mistake for mistake in reading.mistakes if not (mapping and related(mistake.path, _SECTION))]
    outside += [mistake for mistake in reading.duplicates if mistake.path == _SECTION]
    if len(reading.mistakes) > MAX_SHOWN:
        raise ConfigError(lines(reading.mistakes))
    if len(_controls(reading)) > MAX_NAMES:
        raise ConfigError(f"{_SECTION}: more than {MAX_NAMES} names; a run has fewer than a hundred controls")
    if outside or not isinstance(data, dict):
        raise ConfigError(lines(outside))
    try:
        config = Config.model_validate({**data, _SECTION: {}})
    except ValidationError as error:  # a mistake in a control hides the checks of the whole
        raise ConfigError(lines(explain(error, reading.tree, schema_paths()))) from error
    if clashing := apart_from_controls(config, reading.tree):
        raise ConfigError(lines(clashing))
    return config


def _difference(before: Mapping[str, Plain], after: Mapping[str, Plain], accepted: Iterable[str]) -> dict[str, Plain]:
    """Return the changes of a save: new values by name, None for an accepted name gone from the file.

    `accepted` are the names with a value of the file's on air, perhaps from before the last save.
    """
    changes = {name: value for name, value in after.items() if name not in before or before[name] != value}
    return changes | {name: None for name in sorted(accepted) if not _any_related(name, after)}


def _mistake(name: str, mistakes: Sequence[Mistake]) -> str:
    """Return the first mistake of a control, with the position, or ""."""
    full = f"{_SECTION}.{name}"
    found = [mistake for mistake in mistakes if mistake.path != _SECTION and related(full, mistake.path)]
    return str(replace(found[0], path="" if found[0].path == full else found[0].path)) if found else ""


def _by_name(mistakes: Iterable[Mistake]) -> dict[str, Mistake]:
    """Return the first mistake of each control, by dotted name."""
    prefix = f"{_SECTION}."
    found = [mistake for mistake in mistakes if mistake.path.startswith(prefix)]
    return {mistake.path.removeprefix(prefix): mistake for mistake in reversed(found)}


def _any_related(name: str, others: Iterable[str]) -> bool:
    return any(related(name, other) for other in others)


def _refuse(desk: Desk, reasons: Mapping[str, str]) -> None:
    desk.refuse([Refusal(name, reason, BY) for name, reason in reasons.items()])
    for name, reason in reasons.items():
        get_logger().error("control refused", name=name, reason=reason)
