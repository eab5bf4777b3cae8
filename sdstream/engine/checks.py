"""What `doctor` asks about Python libraries. Each is imported in a process of its own: a broken one may crash it."""

import json
import shutil
import subprocess
import sys
from typing import Any

from sdstream.cli.doctor_finding import Finding

PATIENCE = 60.0
"""Seconds; torch takes ten from a cold disk."""


def python() -> Finding:
    """Tell which Python this is; 3.12 and later get the newer av."""
    return Finding("python", "ok", f"{sys.version.split()[0]} on {sys.platform}, {sys.executable}")


def av() -> Finding:
    """FFmpeg's libraries: without them no file and no RTMP."""
    facts = _ask("import av; say(version=av.__version__, x264='libx264' in av.codecs_available)")
    if "error" in facts:
        return Finding("av", "missing", facts["error"], "pip install --upgrade 'av>=18.1'")
    if not facts["x264"]:
        return Finding(
            "av", "note", f"{facts['version']} without libx264: no RTMP out", "pip install --force-reinstall av"
        )
    return Finding("av", "ok", f"{facts['version']} with libx264")


def diffusion() -> Finding:
    """Torch and diffusers: without them only `engine: {kind: passthrough}`."""
    facts = _ask(
        "import torch, importlib.metadata as m; import diffusers, transformers;"
        "say(torch=torch.__version__, diffusers=diffusers.__version__)"
    )
    if "error" in facts:
        return Finding("diffusion", "note", facts["error"], "pip install 'sdstream[diffusion]'")
    return Finding("diffusion", "ok", f"torch {facts['torch']}, diffusers {facts['diffusers']}")


def openvino() -> Finding:
    """OpenVINO: what makes a model several times faster on a processor."""
    facts = _ask(
        "import sys; sys.modules['openvino_telemetry'] = None; import openvino;"  # as the engine loads it
        "say(version=openvino.__version__.split('-')[0], "
        "can=openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'))"
    )
    if "error" in facts:
        return Finding("openvino", "note", facts["error"], "pip install 'sdstream[openvino]'")
    formats = {"BF16": "bf16", "INT8": "int8 or f32"}
    best = next((said for what, said in formats.items() if what in facts["can"]), "f32")
    return Finding("openvino", "ok", f"{facts['version']}, computes in {best}")


def gpu() -> Finding:
    """The NVIDIA driver, and whether torch was built for it."""
    driver = _driver()
    facts = _ask(
        "import torch; say(built=torch.version.cuda, works=torch.cuda.is_available(),"
        "mps=torch.backends.mps.is_available())"
    )
    if facts.get("mps"):
        return Finding("gpu", "ok", "Apple GPU through Metal")
    if not driver:
        return Finding(
            "gpu", "note", "no NVIDIA driver: the engine runs on the CPU, far below live speed for big models"
        )
    if "error" in facts:
        return Finding("gpu", "note", f"{driver}; no torch to use it", "pip install 'sdstream[diffusion]'")
    if not facts["built"]:
        return Finding("gpu", "missing", f"{driver}; torch is built for the CPU", "make setup TORCH=cuda")
    if not facts["works"]:
        return Finding(
            "gpu",
            "missing",
            f"{driver}; torch is built for CUDA {facts['built']}, which this driver does not run",
            "install a newer NVIDIA driver, or a torch build for an older CUDA",
        )
    return Finding("gpu", "ok", f"{driver}; torch for CUDA {facts['built']}")


def ndi() -> Finding:
    """The NDI runtime, which is proprietary and comes as an extra."""
    facts = _ask("import NDIlib; say(works=bool(NDIlib.initialize()))")
    if facts.get("works"):
        return Finding("ndi", "ok", "runtime loaded")
    error = facts.get("error", "the runtime would not start on this processor")
    if "avahi" in error:
        return Finding("ndi", "note", error, "sudo apt-get install libavahi-client3 libavahi-common3")
    return Finding("ndi", "note", error, "pip install 'sdstream[ndi]'")


def _driver() -> str:
    """Name the NVIDIA card and its driver; empty when there is none."""
    if not shutil.which("nvidia-smi"):
        return ""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(answer.stdout.splitlines())


def _ask(code: str) -> dict[str, Any]:
    """Run `code` in a fresh Python; return what it `say`s, or its last words under `error`."""
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
