"""The store of compiled artefacts on disk: the next start takes a second instead of ten.

Every backend keeps compiled networks here, by a key: a frozen dataclass of everything with an effect on the artefact.
Each file begins with the artefact's checksum, because a backend would run damaged weights, and show noise.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sdstream.log import get_logger
from sdstream.system.atomic_file import write_atomically

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = get_logger()

KEEP = 8
"""Number of keys with artefacts in a folder; the key used longest ago is deleted first."""

_CHECKSUM = hashlib.sha256().digest_size


@dataclass(frozen=True)
class ArtefactStore:
    """The artefacts of a key. A failed read or write is logged, and the caller builds the artefact again."""

    folder: Path
    """Holds `key.json` and the artefacts by name."""

    @classmethod
    def open(cls, root: Path, key: "DataclassInstance") -> "ArtefactStore":
        """Make or find the folder of `key` below `root`, mark the folder as used last, and drop all but `KEEP` folders.

        `key` is a frozen dataclass with fields that JSON can write.
        """
        text = json.dumps(asdict(key), indent=1, sort_keys=True)
        store = cls(root / hashlib.sha256(text.encode()).hexdigest()[:32])
        try:
            store.folder.mkdir(parents=True, exist_ok=True)
            (store.folder / "key.json").write_text(text)
            os.utime(store.folder)
            _prune(root)
        except OSError as error:
            log.warning("artefacts cannot be kept", folder=str(store.folder), reason=str(error))
        return store

    def read(self, name: str) -> bytes | None:
        """Return the artefact kept under `name`; None for a missing or damaged artefact."""
        file = self.folder / name
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("a kept artefact cannot be read", file=str(file), reason=str(error))
            return None
        checksum, artefact = content[:_CHECKSUM], content[_CHECKSUM:]
        if hashlib.sha256(artefact).digest() != checksum:
            log.warning("a kept artefact is damaged and is built again", file=str(file))
            return None
        return artefact

    def keep(self, name: str, artefact: bytes) -> None:
        """Keep `artefact` under `name`: whole or not at all, even while a second process writes the same artefact."""
        if not self.folder.is_dir():
            return  # `open` has logged why
        file = self.folder / name
        try:  # not durable: a sync costs time on air, and the checksum finds damage by a power cut
            write_atomically(file, hashlib.sha256(artefact).digest(), artefact, durable=False)
        except OSError as error:
            log.warning("an artefact cannot be kept", file=str(file), reason=str(error))


def _prune(root: Path) -> None:
    folders = sorted((folder for folder in root.iterdir() if folder.is_dir()), key=lambda f: f.stat().st_mtime)
    for folder in folders[:-KEEP]:
        shutil.rmtree(folder, ignore_errors=True)
