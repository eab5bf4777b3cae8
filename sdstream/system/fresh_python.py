"""Asks about a library in a process of its own: a broken library may crash the process that imports it."""

import json
import subprocess
import sys
from typing import Any

PATIENCE = 60.0
"""Seconds; torch takes ten from a cold disk."""


def ask(code: str) -> dict[str, Any]:
    """Run `code` in a fresh Python; return what it `say`s, or the last line of its errors under `error`."""
    program = f"import json\ndef say(**facts): print(json.dumps(facts))\n{code}"
    command = [sys.executable, "-W", "ignore", "-c", program]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {PATIENCE:.0f} s to load"}
    if answer.returncode:
        words = answer.stderr.strip().splitlines() or [f"crashed while loading (status {answer.returncode})"]
        return {"error": words[-1]}
    facts: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return facts
