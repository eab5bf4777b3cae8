"""The daemon as a user starts it: `sdstream run CONFIG`, in a process and, where asked for, in a network of its own."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.harness.network import Network
from tests.harness.programs import running

_REPOSITORY = Path(__file__).parents[2]


class Daemon:
    """One configuration, and the process that runs it now. All that it says is in the file `log`."""

    def __init__(self, folder: Path, config: dict[str, Any], network: Network, *options: str) -> None:
        self.log = folder / "sdstream.log"
        config_file = folder / "run.yaml"
        config_file.write_text(json.dumps(config))  # JSON is YAML
        self._command = network.command(sys.executable, "-m", "sdstream", "run", str(config_file), *options)

    def __enter__(self) -> Self:
        """Start it. It goes on air when it can: wait for that where it is to be seen."""
        self._parts = ExitStack()
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Ask it to end, and wait for that."""
        self._parts.close()

    def start(self) -> None:
        """Start a process, after `kill`."""
        self._process: subprocess.Popen[bytes] = self._parts.enter_context(
            running(self._command, self.log, cwd=_REPOSITORY)
        )

    def kill(self) -> None:
        """Kill the supervisor as the kernel would, with no chance to say goodbye; its stages are on their own."""
        self._process.kill()
        self._process.wait()

    def report(self) -> dict[str, Any]:
        """Return the report of a run with `--json` that has ended."""
        report: dict[str, Any] = json.loads("{" + self.log.read_text().rpartition("\n{")[2])
        return report

    def says(self, phrase: str) -> bool:
        """Tell whether it has logged this, in any of its lives."""
        return self.log.exists() and phrase in self.log.read_text()
