"""`sdstream bench relax`: the experiments of Learning to Relax (arXiv 2310.02246), as tables, bars and figures."""

import math
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sdstream.cli.options import Json
from sdstream.cli.output import say_json, styled
from sdstream.cli.progress_bar import progress_bar
from sdstream.errors import Bug

if TYPE_CHECKING:
    from sdstream.bench.relax.experiments import Experiment


def register(app: typer.Typer) -> None:
    """Add the verb to the `bench` verbs."""
    app.command("relax")(relax)


def relax(
    rounds: Annotated[int, typer.Option("-T", "--rounds", min=1000, help="Instances; the bars are for 5000.")] = 5000,
    seeds: Annotated[int, typer.Option(min=1, max=40, help="Trials, seeded 0, 1, ...; the paper has 40.")] = 4,
    heat: Annotated[str, typer.Option(help="n_x of the heat equations, e.g. 25,50,100 (slow); '' for none.")] = "25",
    plot: Annotated[Path | None, typer.Option(help="Draw the figures here (png, svg or pdf).")] = None,
    as_json: Json = False,
) -> None:
    """Reproduce the paper's experiments: choose the solver's omega online, and count the iterations."""
    from sdstream.bench.relax.experiments import heat as play_heat
    from sdstream.bench.relax.experiments import shifts

    try:
        cells = [int(part) for part in heat.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"--heat {heat!r}: expected numbers such as 25,50") from error
    trials = list(range(seeds))
    plays = {
        "low variance": partial(shifts, "low"),
        "high variance": partial(shifts, "high"),
        **{f"heat, n_x = {n}": partial(play_heat, n) for n in cells},
    }
    experiments = []
    for name, play in plays.items():
        with progress_bar(name, 1.0) as done:
            experiments.append(play(rounds, trials, done))
    if plot is not None:
        from sdstream.bench.relax.figures import draw_figures

        draw_figures(experiments, plot)
    if as_json:
        say_json({"experiments": [_as_dict(experiment) for experiment in experiments]})
    else:
        print("\n\n".join(_lines(experiment) for experiment in experiments))
    missed = [bar.what for experiment in experiments for bar in experiment.bars if not bar.met]
    if missed:
        raise Bug(f"the learners missed the bars: {'; '.join(missed)}")


def _as_dict(experiment: "Experiment") -> dict[str, object]:
    rows = [{**asdict(row), "error": None if math.isnan(row.error) else row.error} for row in experiment.rows]
    bars = [{**asdict(bar), "met": bar.met} for bar in experiment.bars]
    head = {"title": experiment.title, "rounds": experiment.rounds, "trials": experiment.trials}
    return {**head, "rows": rows, "bars": bars}


def _lines(experiment: "Experiment") -> str:
    tail = min(1000, experiment.rounds)
    head = f"{experiment.title}: T = {experiment.rounds}, {experiment.trials} trials; iterations per instance"
    lines = [head, f"{'':32}{'<=300':>9}{'all':>9}{'s.e.':>7}{f'last {tail}':>11}{'us/round':>10}"]
    for row in experiment.rows:
        error = "" if math.isnan(row.error) else f"{row.error:.2f}"
        cost = f"{row.seconds * 1e6:.0f}" if row.seconds else ""
        lines.append(f"{row.name:32}{row.first:9.2f}{row.average:9.2f}{error:>7}{row.tail:11.2f}{cost:>10}")
    for bar in experiment.bars:
        verdict = styled("met", "green") if bar.met else styled("NOT MET", "red")
        lines.append(f"  {bar.what}: {bar.value:.3f} <= {bar.limit:g}: {verdict}")
    return "\n".join(lines)
