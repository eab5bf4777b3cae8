"""A stream key is neither printed nor logged, and is not in the list of processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

KEYS = {"KEY_IN": "canary-in-4711", "KEY_OUT": "canary-out-4711"}


@pytest.mark.slow
def test_a_run_with_failing_outputs_shows_no_key_anywhere(tmp_path: Path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = unused.getsockname()[1]  # bound and not listening: every connection to it is refused
        file = tmp_path / "show.yaml"
        file.write_text(
            "version: 1\ncanvas: {width: 64, height: 48}\nengine: {kind: passthrough}\n"
            'source: {kind: rtmp, listen: "127.0.0.1:0", key: "${KEY_IN}"}\n'
            f'sinks: [{{kind: discard}}, {{kind: ffmpeg, url: "rtmp://127.0.0.1:{dead}/app/${{KEY_OUT}}"}}]\n'
        )
        command = [sys.executable, "-m", "sdstream", "run", str(file), "--for", "10", "-v", "--json"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=os.environ | KEYS, **pipes) as process:
            arguments = watched(psutil.Process(process.pid))
            out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "refused" in err
    assert arguments
    assert "canary" not in out + err + arguments


def watched(process: psutil.Process) -> str:
    """Return the command lines of all processes of a run, gathered until it has several."""
    seen: set[str] = set()
    while len(seen) < 4 and process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        for each in (process, *process.children(recursive=True)):
            try:
                seen.add(f"{each.pid} {each.cmdline()}")
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
    return "\n".join(seen)
