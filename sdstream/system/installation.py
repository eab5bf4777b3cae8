"""How this copy of sdstream was installed, and the line to type for a missing library.

A bare `pip install 'sdstream[…]'` would ask a package index for a clone, or use a different Python. The lines here name
this Python, and the clone, wheel or index that this copy came from.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from sdstream.errors import Unavailable

MODULES = {
    "diffusion": ("torch", "diffusers", "transformers", "safetensors", "accelerate", "huggingface_hub"),
    "openvino": ("openvino",),
    "ndi": ("NDIlib",),
    "virtualcam": ("pyvirtualcam",),
    "control": ("fastapi", "uvicorn", "prometheus_client", "websockets", "pythonosc"),
    "midi": ("mido", "rtmidi"),
}
"""The modules that each extra brings."""


def missing_module(extra: str) -> str:
    """Return the first module of `extra` that this Python does not find, or "". Nothing is imported."""
    return next((module for module in MODULES[extra] if not _is_there(module)), "")


def require(extra: str, user: str) -> None:
    """Raise Unavailable, with the line to type, if a library of `extra` is missing; `user` is who needs the library."""
    if module := missing_module(extra):
        raise Unavailable(f"{user} needs {module}, and {module} is not installed; type: {extra_line(extra)}")


def absent(error: ModuleNotFoundError) -> Unavailable | None:
    """Return what to tell the user when `error` names a library of an extra, else None."""
    name = (error.name or "").partition(".")[0]
    for extra, modules in MODULES.items():
        if name in modules:
            return Unavailable(f"this needs {name}, and {name} is not installed; type: {extra_line(extra)}")
    return None


def extra_line(extra: str) -> str:
    """Return the line that installs an extra into this Python, from the place where this copy came from."""
    clone = _clone()
    if clone is not None:
        return pip_line("-e", f"{clone}[{extra}]")
    origin = _origin()
    url = origin.get("url", "")
    if not url:
        return pip_line(f"sdstream[{extra}]")
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        return pip_line(f"sdstream[{extra}] @ {vcs['vcs']}+{url}@{vcs['commit_id']}")
    if not url.startswith("file:"):
        return pip_line(f"sdstream[{extra}] @ {url}")
    place = Path(url2pathname(unquote(urlsplit(url).path)))
    if place.exists():
        return pip_line(f"{place}[{extra}]")
    return pip_line(*requirements(extra))  # the wheel or the clone was deleted meanwhile


def pip_line(*arguments: str) -> str:
    """Return the line that calls pip for this Python, or uv where this Python has no pip."""
    pip = [sys.executable, "-m", "pip", "install"]
    if not _is_there("pip"):
        pip = ["uv", "pip", "install", "--python", sys.executable]
    command = [*pip, *arguments]
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)


def requirements(extra: str) -> list[str]:
    """Return the libraries that the metadata of this copy names for `extra`, with their versions."""
    found = _distribution()
    return list(dict.fromkeys(_requirements(found, extra))) if found else [f"sdstream[{extra}]"]


def _requirements(found: Distribution, extra: str) -> Iterator[str]:
    for line in found.requires or ():
        requirement, _, marker = line.partition(";")
        if not re.search(rf"extra == ['\"]{extra}['\"]", marker):
            continue
        own = re.match(r"sdstream\[(.+)\]", requirement)
        if own is None:
            yield requirement.strip()
        else:
            for inner in own[1].split(","):
                yield from _requirements(found, inner)


def _clone() -> Path | None:
    """Return the folder of the clone that this copy runs from, or None for an installed copy."""
    root = Path(__file__).parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def _origin() -> dict[str, Any]:
    """Return the origin in the words of PEP 610 (`direct_url.json`); empty for a copy from an index."""
    found = _distribution()
    text = found.read_text("direct_url.json") if found else None
    origin: dict[str, Any] = json.loads(text) if text else {}
    return origin


@cache
def _distribution() -> Distribution | None:
    try:
        return distribution("sdstream")
    except PackageNotFoundError:
        return None


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a blocked import, or a module without a spec
        return False
