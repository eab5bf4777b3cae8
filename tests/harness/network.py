"""A private network: a loopback of its own, in which every port is free and no other program listens."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """What to put in front of a command, so that it runs in this network."""

    prefix: tuple[str, ...] = ()

    def command(self, *words: str) -> list[str]:
        """Return the command that runs `words` in this network; its process id is that of `words`."""
        return [*self.prefix, *words]


def missing() -> str | None:
    """Return why this machine cannot have a private network, or None when it can."""
    absent = [tool for tool in ("unshare", "nsenter", "ip") if shutil.which(tool) is None]
    if absent:
        return f"a private network needs {', '.join(absent)}: sudo apt install util-linux iproute2"
    tried = subprocess.run(_keeper("true"), capture_output=True, text=True, timeout=10, check=False)
    if tried.returncode:
        return f"this machine allows no private network: {tried.stderr.strip()}"
    return None


@contextmanager
def private_network() -> Iterator[Network]:
    """Make a network that lasts as long as the block. Processes in it must have ended by then."""
    keeper = subprocess.Popen(
        _keeper("ip link set lo up && echo up && exec cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with keeper:  # cat ends with its input, so the network goes even if this process is killed
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"up\n"
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        yield Network(("nsenter", f"--target={keeper.pid}", *user, "--net", "--"))


def _keeper(script: str) -> Sequence[str]:
    """Return the command that runs `script` in a new network; who is not root becomes root of it."""
    rank = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *rank, "--net", "--", "sh", "-c", script]
