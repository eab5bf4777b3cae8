"""Asks about a library in a new process, because importing a broken library may crash the process."""

import json
import subprocess
import sys
from typing import Any

TIMEOUT = 60.0
"""Seconds for an answer; importing torch from a cold disk takes ten."""


def ask(code: str) -> dict[str, Any]:
    """Run `code` in a new Python process; return the facts of `report(name=value)` in `code`.

    After a failure the only fact is `error`, the last line of stderr.
    """
    program = f"import json\ndef report(**facts): print(json.dumps(facts))\n{code}"
    command = [sys.executable, "-W", "ignore", "-c", program]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {TIMEOUT:.0f} s to load"}
    if answer.returncode:
        lines = answer.stderr.strip().splitlines() or [f"crashed while loading (status {answer.returncode})"]
        return {"error": lines[-1]}
    facts: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return facts
