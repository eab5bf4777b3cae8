"""Follows the configuration file of a run: its `controls` change the show as soon as the file is saved."""

from collections.abc import Sequence
from pathlib import Path

from sdstream.config.load import load
from sdstream.config.schema import Config
from sdstream.controls import Controls
from sdstream.errors import ConfigError
from sdstream.log import get_logger


class Watch:
    """Ask it now and then; it reads the file only when the file has changed."""

    def __init__(self, path: Path, overrides: Sequence[str], config: Config) -> None:
        """`config` is what the run began with; `overrides` from the command line stay in force."""
        self._path, self._overrides, self._config = path, overrides, config
        self._seen = (0, 0)
        self._seen = self._stamp()

    def news(self) -> Controls | None:
        """Return the controls when the file was saved with others than before, else None.

        A file with mistakes changes nothing, and is told of in the log; so is a change of anything but controls.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        self._seen = stamp
        log = get_logger()
        try:
            config = load(self._path, self._overrides)
        except ConfigError as error:
            log.error("configuration not taken over", mistakes=str(error))
            return None
        before, self._config = self._config, config
        if config.model_copy(update={"controls": before.controls}) != before:
            log.warning("only controls change while on air: the rest waits for the next start", file=str(self._path))
        if config.controls == before.controls:
            return None
        log.info("controls taken over", file=str(self._path))
        return config.controls

    def _stamp(self) -> tuple[int, int]:
        """Return what changes when the file is saved; editors replace it, so for a moment it may be away."""
        try:
            found = self._path.stat()
        except OSError:
            return self._seen
        return found.st_mtime_ns, found.st_size
