"""Loads the NDI runtime, a proprietary library outside this project. NDI® is a trademark of Vizrt NDI AB."""

from typing import Any

from sdstream.errors import Unavailable
from sdstream.system import fresh_python
from sdstream.system.finding import Finding
from sdstream.system.installation import extra_line


def load_ndi() -> Any:  # a binding without types
    """Return the loaded NDI runtime. Raises Unavailable when the runtime is missing or this CPU is too old."""
    try:
        import NDIlib
    except ImportError as error:
        raise Unavailable(
            f"the NDI runtime cannot be loaded ({error}); "
            f"expected the ndi extra; type: {extra_line('ndi')}, and on Debian or Ubuntu: "
            "sudo apt install libavahi-client3"
        ) from error
    if not NDIlib.initialize():
        raise Unavailable("the NDI runtime does not start; expected an x86-64 CPU with SSE4.2, or arm64")
    return NDIlib


def check() -> Finding:
    """Look for the NDI runtime, for `sdstream doctor`."""
    facts = fresh_python.ask("import NDIlib; report(works=bool(NDIlib.initialize()))")
    if facts.get("works"):
        return Finding("ndi", "ok", "runtime loaded")
    error = facts.get("error", "the runtime does not start on this CPU")
    if "avahi" in error:
        return Finding("ndi", "note", error, "sudo apt-get install libavahi-client3 libavahi-common3")
    return Finding("ndi", "note", error, extra_line("ndi"))
