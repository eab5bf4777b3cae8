"""`sdstream doctor`: what is here, what is missing, and the line that mends it."""

from dataclasses import asdict

import typer

from sdstream.cli.options import Json
from sdstream.cli.output import coloured, say, say_json

_LOOKS = {"ok": 32, "note": 33, "missing": 31}


def doctor(json: Json = False) -> None:
    """Name each thing that is missing, with the line that fixes it; exit 69 when sdstream cannot do without it."""
    from sdstream.cli import doctor_libraries, doctor_machine
    from sdstream.errors import Unavailable

    checks = (
        doctor_libraries.python,
        doctor_libraries.av,
        doctor_libraries.diffusion,
        doctor_libraries.openvino,
        doctor_libraries.gpu,
        doctor_libraries.ndi,
        doctor_machine.virtual_camera,
        doctor_machine.rtmp_port,
        doctor_machine.shared_memory,
        doctor_machine.disk,
    )
    findings = []
    for check in checks:
        finding = check()
        findings.append(finding)
        if not json:
            say(f"{coloured(f'{finding.state:<8}', _LOOKS[finding.state])}{finding.name:<14}{finding.found}")
            if finding.fix:
                say(f"{'':<22}→ {finding.fix}")
    if json:
        say_json([asdict(finding) for finding in findings])
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(Unavailable.exit_code)
