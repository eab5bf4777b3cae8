"""Checks FFmpeg's libraries, as installed with PyAV, for `sdstream doctor`."""

from sdstream.system import fresh_python
from sdstream.system.finding import Finding
from sdstream.system.installation import pip_line


def check() -> Finding:
    """Look for PyAV and the encoder libx264: files and RTMP need PyAV."""
    facts = fresh_python.ask("import av; report(version=av.__version__, x264='libx264' in av.codecs_available)")
    if "error" in facts:
        return Finding("av", "missing", facts["error"], pip_line("--upgrade", "av>=18.1"))
    if not facts["x264"]:
        return Finding(
            "av", "note", f"{facts['version']} without libx264: no RTMP output", pip_line("--force-reinstall", "av")
        )
    return Finding("av", "ok", f"{facts['version']} with libx264")
