"""`sdstream bench engine` and `bench paper`: the engine alone, and the paper's tables on this machine."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream import __version__
from sdstream.cli.options import Json, sized
from sdstream.cli.output import say, say_json
from sdstream.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from sdstream.bench.engine.workbench import Bench, Row

Model = Annotated[
    str,
    typer.Option(
        help="NAME@WIDTHxHEIGHT. With random weights: small (auto on a CPU), sd15, sd-turbo (auto on a GPU), "
        "sdxl-turbo; or any model."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the engine, e.g. engine.device=cuda:1. Repeatable."),
]
Frames = Annotated[
    int, typer.Option(min=3, help="Calls of each variant; variants take turns, call by call. Fewer after two minutes.")
]
Plot = Annotated[Path | None, typer.Option(help="Draw a figure here (png, svg or pdf).", show_default=False)]

MAX_FRAMES = 64
"""Most frames a call."""

_SETTINGS = """
version: 1
source: {{kind: testsrc}}
engine: {{width: {width}, height: {height}, acceleration: eager}}
sinks: [{{kind: discard}}]
"""


def register(app: typer.Typer) -> None:
    """Add the verbs to the `bench` verbs."""
    app.command("engine")(engine)
    app.command("paper")(paper)


def engine(
    model: Model = "auto@512x512",
    steps: Annotated[
        str,
        typer.Option(
            help="Numbers of denoising steps (1, 2, 3, 4, 5, 10); 1x4 measures the core with four frames a call."
        ),
    ] = "1,2,4",
    overrides: Overrides = None,
    frames: Frames = 40,
    profile: Annotated[bool, typer.Option("--profile", help="Measure the parts of a call instead.")] = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Measure every guidance mode at each number of steps: speed, U-Net rows, memory."""
    from sdstream.bench.engine import speed
    from sdstream.engine.weights.component import quiet

    core, lone = _steps(steps)
    with quiet():
        bench = _bench(model, overrides, frames)
        tables: dict[str, list[Row]] = {}
        with progress_bar("measuring", len(lone) + len(core)) as done:
            for index, n in enumerate(lone, 1):
                rows = speed.profile(bench, n) if profile else speed.modes(bench, [n])
                tables.setdefault("profile" if profile else "modes", []).extend(rows)
                done(index)
            for index, (n, count) in enumerate(core, len(lone) + 1):
                tables.setdefault("per_call", []).extend(speed.per_call(bench, n, count))
                done(index)
    _show(bench, tables, plot, as_json)


def paper(
    model: Model = "auto@512x512",
    overrides: Overrides = None,
    frames: Frames = 20,
    clip: Annotated[Path | None, typer.Option(help="A video for the similarity filter.", show_default=False)] = None,
    only: Annotated[str, typer.Option(help="table1, table2, ablation, similarity; all by default.")] = "",
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Measure the paper's tables: Stream Batch, residual guidance, each part off in turn, the similarity filter."""
    from sdstream.bench.engine import paper as measure
    from sdstream.engine.weights.component import quiet

    wanted = [part.strip() for part in only.split(",") if part.strip()]
    with quiet():
        bench = _bench(model, overrides, frames)
        clips = {"still": bench.still(3 * frames), "moving": bench.moving(3 * frames)}
        if clip is not None:
            clips[clip.name] = bench.clip(clip, 300)
        parts: dict[str, Callable[[], list[Row]]] = {
            "table1": lambda: measure.table_1(bench),
            "table2": lambda: measure.table_2(bench),
            "ablation": lambda: measure.ablation(bench),
            "similarity": lambda: [
                row for name, frames in clips.items() for row in measure.similarity_filter(bench, frames, name)
            ],
        }
        if unknown := set(wanted) - parts.keys():
            raise typer.BadParameter(f"--only {', '.join(sorted(unknown))}: expected {', '.join(parts)}")
        chosen = {name: part for name, part in parts.items() if not wanted or name in wanted}
        tables: dict[str, list[Row]] = {}
        with progress_bar("measuring", len(chosen)) as done:
            for name, part in chosen.items():
                tables[name] = part()
                done(len(tables))
    _show(bench, tables, plot, as_json)


def _bench(model: str, overrides: Sequence[str] | None, frames: int) -> "Bench":
    from sdstream.bench.engine.workbench import Bench
    from sdstream.config.engine import DiffusionSettings
    from sdstream.config.load import loads
    from sdstream.engine.models import choose_device

    name, width, height = sized(model)
    text = _SETTINGS.format(width=width, height=height)
    settings = loads(text, f"--model {model}", overrides or ()).engine
    assert isinstance(settings, DiffusionSettings), "only the diffusion engine has a width and a height"
    if name == "auto":
        name = "sd-turbo" if choose_device(settings.device).type == "cuda" else "small"
    return Bench.of(name, settings, laps=frames)


def _steps(text: str) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the pairs (steps, frames a call) of `text`, and the numbers of steps without frames."""
    from sdstream.bench.engine.workbench import STEP_LISTS

    core, lone = [], []
    for part in text.split(","):
        n, by, count = part.strip().partition("x")
        counted = not by or (count.isdecimal() and 1 <= int(count) <= MAX_FRAMES)
        if not (n.isdecimal() and int(n) in STEP_LISTS and counted):
            known = ", ".join(map(str, STEP_LISTS))
            raise typer.BadParameter(f"--steps {text!r}: expected some of {known}, or like 1x4, with commas between")
        if by:
            core.append((int(n), int(count)))
        else:
            lone.append(int(n))
    return core, lone


def _show(bench: "Bench", tables: "dict[str, list[Row]]", plot: Path | None, as_json: bool) -> None:
    facts: Row = {"sdstream": __version__, **bench.facts()}
    if plot is not None:
        from sdstream.bench.engine.charts import draw_tables

        draw_tables(tables, plot)
    if as_json:
        say_json({"facts": facts, **tables})
        return
    say("  ".join(f"{key} {value}" for key, value in facts.items() if value is not None))
    for name, rows in tables.items():
        say(f"\n{name}\n{_lines(rows)}")


def _lines(rows: "list[Row]") -> str:
    """Return rows as a table: numbers with three digits, aligned to the right."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns, *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def _cell(value: str | float | None) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return "-" if value is None else str(value)
