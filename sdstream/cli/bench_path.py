"""`sdstream bench path`: the whole daemon at work, measured from the outside: rate, latency, CPU time, memory."""

from typing import Annotated

import typer

from sdstream.bench.path import Input, Output, PathResult, Restyling, measure
from sdstream.cli.options import Overrides, sized
from sdstream.cli.output import say, say_json
from sdstream.cli.progress_bar import progress_bar
from sdstream.cli.report_table import table

_FIXED = ("source", "sinks", "canvas")


def register(app: typer.Typer) -> None:
    """Add the verb to the `bench` verbs."""
    app.command("path")(path)


def path(
    source: Annotated[Input, typer.Option(help="Where the picture comes from; rtmp starts a publisher.")] = "rtmp",
    sink: Annotated[Output, typer.Option(help="Where the picture goes; ndi starts a receiver.")] = "discard",
    size: Annotated[str, typer.Option(help="Canvas, WIDTHxHEIGHT@FPS.")] = "1280x720@30",
    model: Annotated[str, typer.Option(help="Restyle with NAME@WIDTHxHEIGHT, such as mini@384x384.")] = "",
    seconds: Annotated[float, typer.Option("--for", min=5, help="Seconds to measure.")] = 60.0,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the whole daemon: rate, latency, CPU time; without a model pictures pass through."""
    for override in overrides or ():
        if override.startswith(_FIXED):
            raise typer.BadParameter(f"--set {override!r}: both ends are fixed; use --source, --sink and --size")
    restyling = Restyling(*sized(model)) if model else None
    canvas = _canvas(size)
    with progress_bar("measuring", seconds) as done:
        result = measure(source, sink, canvas, seconds, restyling, overrides or (), done)
    facts = {**vars(result), "report": result.report.as_dict()}
    if as_json:
        say_json(facts)
    else:
        say(_lines(result))


def _canvas(size: str) -> dict[str, float]:
    shape, _, fps = size.partition("@")
    width, _, height = shape.partition("x")
    try:
        return {"width": int(width), "height": int(height), "fps": float(fps or 30)}
    except ValueError as error:
        raise typer.BadParameter(f"--size {size!r}: expected WIDTHxHEIGHT@FPS, such as 1280x720@30") from error


def _lines(result: PathResult) -> str:
    lines = [table(result.report), f"cpu      {result.cores:.2f} cores (supervisor and all stages)"]
    if result.glass:
        values = ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in result.glass.items())
        lines.append(f"glass    {values} from birth at the publisher to arrival at the receiver")
    if result.growth:
        mebibytes = result.growth["memory"] / (1 << 20)
        lines.append(
            f"growth   {mebibytes:+.1f} MiB resident, {result.growth['files']:+.0f} files, "
            f"{result.growth['threads']:+.0f} threads since the first minute"
        )
    return "\n".join(lines)
