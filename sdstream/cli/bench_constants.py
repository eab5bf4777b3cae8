"""`sdstream bench constants`: measures the basis of the product's constants again, and checks each constant."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream import log
from sdstream.cli.options import Json
from sdstream.cli.output import say, say_json, styled
from sdstream.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from sdstream.bench.constants.finding import ConstantFinding

FOOTAGE = ("cut", "shots", "untrusted")
"""Measurements that need clips."""

LIVE = ("early", "lag")
"""Measurements on generated input."""


def register(app: typer.Typer) -> None:
    """Add the verb to the `bench` verbs."""
    app.command("constants")(constants)


def constants(
    clips: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", exists=True, file_okay=False, help="A folder of clips, for cut, shots and untrusted."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"A measurement: {', '.join(FOOTAGE + LIVE)}. Repeatable; all by default."),
    ] = None,
    pictures: Annotated[int, typer.Option(min=20, help="Most pictures of each clip.")] = 2000,
    as_json: Json = False,
) -> None:
    """Measure the basis of the product's measured constants, and say whether each constant still holds."""
    names = _wanted(only, clips)
    log.configure("error")
    findings = []
    for number, name in enumerate(names, 1):
        with progress_bar(f"{name}, {number} of {len(names)}", None):
            found = _measurement(name, clips, pictures)()
        findings += found
        if not as_json:
            say("\n".join(_lines(finding) for finding in found))
    if as_json:
        say_json({"findings": [asdict(finding) for finding in findings]})


def _wanted(only: list[str] | None, clips: Path | None) -> list[str]:
    """Return the measurements to make. Raises BadParameter for an unknown name, and where clips are missing."""
    names = only or [*FOOTAGE, *LIVE]
    if unknown := set(names) - {*FOOTAGE, *LIVE}:
        raise typer.BadParameter(f"--only {', '.join(sorted(unknown))}: expected {', '.join(FOOTAGE + LIVE)}")
    if clips is None and (clipless := [name for name in names if name in FOOTAGE]):
        raise typer.BadParameter(
            f"{', '.join(clipless)} need footage: give --clips FOLDER, or --only {LIVE[0]} --only {LIVE[1]}"
        )
    return names


def _measurement(name: str, clips: Path | None, pictures: int) -> Callable[[], list["ConstantFinding"]]:
    import cv2

    from sdstream.bench.constants import arrival, cut, lag, shots, untrusted

    cv2.setNumThreads(1)  # as in the engine's process
    folder = clips or Path()
    return {
        "cut": lambda: cut.measure(folder, pictures),
        "shots": lambda: shots.measure(folder, pictures),
        "untrusted": lambda: untrusted.measure(folder, pictures),
        "early": arrival.measure,
        "lag": lag.measure,
    }[name]


def _lines(finding: "ConstantFinding") -> str:
    verdict = styled("holds", "green") if finding.holds else styled("DOES NOT HOLD", "red")
    rows = [f"  {name:52}{value:10.4g}" for name, value in finding.measured.items()]
    return "\n".join([f"{finding.constant} = {finding.value:.4g}: {verdict} ({finding.law})", *rows])
