"""A sink or a receiver as a process of a private network, with its findings as JSON."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness.network import Network

_REPOSITORY = Path(__file__).parents[2]


class Talker:
    """A process that tells its findings as JSON, in its last line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self._process.send_signal(number)

    def told(self, seconds: float = 30.0) -> dict[str, Any]:
        """Wait for the end, and return the findings; `output` holds everything that it said."""
        output, _ = self._process.communicate(timeout=seconds)
        assert self._process.returncode == 0, output
        return {**json.loads(output.splitlines()[-1]), "output": output}


@contextmanager
def talker(network: Network, module: str, *words: str) -> Iterator[Talker]:
    """Run `python -m module words`, at the latest until the end of the block."""
    command = network.command(sys.executable, "-m", module, *words)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=_REPOSITORY, text=True, **pipes) as process:
        try:
            yield Talker(process)
        finally:
            process.kill()


@contextmanager
def sender(network: Network, seconds: float, **settings: Any) -> Iterator[Talker]:
    """Run one sink for some seconds."""
    with talker(network, "tests.sinks.sink_sender", json.dumps(settings), str(seconds)) as running:
        yield running
