"""FFmpeg's libraries, which PyAV brings: what `sdstream doctor` says of them."""

from sdstream.system import fresh_python
from sdstream.system.finding import Finding


def check() -> Finding:
    """Look for PyAV and its H.264 encoder: without PyAV no file and no RTMP."""
    facts = fresh_python.ask("import av; say(version=av.__version__, x264='libx264' in av.codecs_available)")
    if "error" in facts:
        return Finding("av", "missing", facts["error"], "pip install --upgrade 'av>=18.1'")
    if not facts["x264"]:
        return Finding(
            "av", "note", f"{facts['version']} without libx264: no RTMP out", "pip install --force-reinstall av"
        )
    return Finding("av", "ok", f"{facts['version']} with libx264")
