"""Which of two processes works, while a successor gets ready beside the present process."""

from multiprocessing.sharedctypes import RawValue
from typing import Any


class Turn:
    """A number in shared memory; the supervisor alone gives the turn, any process may look."""

    def __init__(self, number: int) -> None:
        """Begin with the turn of process `number`."""
        self._number: Any = RawValue("q", number)  # ctypes values have no static type

    def is_of(self, number: int) -> bool:
        """Tell whether process `number` has the turn."""
        return bool(self._number.value == number)

    def give(self, number: int) -> None:
        """Give the turn to process `number`; the process before must have ended."""
        self._number.value = number
