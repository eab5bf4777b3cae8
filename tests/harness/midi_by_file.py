"""A backend for mido whose controller is a file: bytes appended to the file are messages of the controller.

The file's path is MIDI_BY_FILE. Everything above the driver is mido's own.
"""

import os
import threading
import time
from pathlib import Path
from typing import Any

from mido.ports import BaseInput

NAME = "knobs by file 1"


def get_devices(**_: Any) -> list[dict[str, Any]]:
    return [{"name": NAME, "is_input": True, "is_output": False}]


class Input(BaseInput):
    def _open(self, callback: Any = None, **_: Any) -> None:
        self._path = Path(os.environ["MIDI_BY_FILE"])
        self._path.touch()
        self._taker = callback
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        with self._path.open("rb") as file:
            while not self.closed:
                self._parser.feed(file.read())
                for message in self._parser:
                    self._taker(message)
                time.sleep(0.02)
