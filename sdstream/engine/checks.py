"""The findings of `sdstream doctor` about the engine's libraries and the GPU. No such library is imported here."""

import shutil
import subprocess

from sdstream.system import fresh_python
from sdstream.system.finding import Finding
from sdstream.system.installation import extra_line


def diffusion() -> Finding:
    """Look for torch and diffusers. Without these libraries only `engine: {kind: passthrough}` runs."""
    facts = fresh_python.ask(
        "import torch, importlib.metadata as m; import diffusers, transformers;"
        "report(torch=torch.__version__, diffusers=diffusers.__version__)"
    )
    if "error" in facts:
        return Finding("diffusion", "note", facts["error"], extra_line("diffusion"))
    return Finding("diffusion", "ok", f"torch {facts['torch']}, diffusers {facts['diffusers']}")


def openvino() -> Finding:
    """Look for OpenVINO: a CPU runs a model several times faster with OpenVINO."""
    facts = fresh_python.ask(
        "import sys; sys.modules['openvino_telemetry'] = None; import openvino;"  # the same import as in the engine
        "report(version=openvino.__version__.split('-')[0], "
        "can=openvino.Core().get_property('CPU', 'OPTIMIZATION_CAPABILITIES'))"
    )
    if "error" in facts:
        return Finding("openvino", "note", facts["error"], extra_line("openvino"))
    formats = {"BF16": "bf16", "INT8": "int8 or f32"}
    best = next((dtype for capability, dtype in formats.items() if capability in facts["can"]), "f32")
    return Finding("openvino", "ok", f"{facts['version']}, computes in {best}")


def gpu() -> Finding:
    """Look for the NVIDIA driver, and for a torch build to match."""
    driver = _driver()
    facts = fresh_python.ask(
        "import torch; report(built=torch.version.cuda, works=torch.cuda.is_available(),"
        "mps=torch.backends.mps.is_available())"
    )
    if facts.get("mps"):
        return Finding("gpu", "ok", "Apple GPU through Metal")
    if not driver:
        return Finding(
            "gpu", "note", "no NVIDIA driver: the engine runs on the CPU, far below live speed for big models"
        )
    if "error" in facts:
        return Finding("gpu", "note", f"{driver}; no torch to use it", extra_line("diffusion"))
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


def _driver() -> str:
    """Return the names of NVIDIA GPU and driver; empty without an NVIDIA GPU."""
    if not shutil.which("nvidia-smi"):
        return ""
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=fresh_python.TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return "; ".join(answer.stdout.splitlines())
