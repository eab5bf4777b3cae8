"""`sdstream doctor`: what is here, what is missing, and the line that mends it."""

from dataclasses import asdict

import typer

from sdstream.cli.options import Json
from sdstream.cli.output import coloured, say, say_json

_LOOKS = {"ok": 32, "note": 33, "missing": 31}


def doctor(json: Json = False) -> None:
    """Name each thing that is missing, with the line that fixes it; exit 69 when sdstream cannot do without it."""
    from sdstream.cli import doctor_libraries as libraries
    from sdstream.cli import doctor_machine as machine
    from sdstream.errors import Unavailable

    checks = (
        libraries.python,
        libraries.av,
        libraries.diffusion,
        libraries.openvino,
        libraries.gpu,
        libraries.ndi,
        machine.virtual_camera,
        machine.rtmp_port,
        machine.shared_memory,
        machine.disk,
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
