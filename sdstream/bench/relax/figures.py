"""The paper's figures: running averages of the iterations, a panel for each experiment."""

from pathlib import Path

from sdstream.bench.relax.experiments import Experiment
from sdstream.errors import Unavailable
from sdstream.system.installation import pip_line


def draw_figures(experiments: list[Experiment], path: Path) -> None:
    """Write a picture (format by suffix: png, svg, pdf) with a panel for each experiment. Raises Unavailable."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Unavailable(f"figures need matplotlib; type: {pip_line('matplotlib')}") from error
    figure = Figure(figsize=(6.0 * len(experiments), 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    for k, experiment in enumerate(experiments):
        axes = figure.add_subplot(1, len(experiments), k + 1)
        for name, curve in experiment.curves.items():
            learned = name.startswith(("Tsallis", "ChebCB"))
            axes.plot(
                range(1, len(curve) + 1), curve, label=name, lw=1.8 if learned else 1.0, ls="-" if learned else "--"
            )
        axes.set(title=experiment.title, xlabel="instance", ylabel="iterations per instance so far", yscale="log")
        axes.set_xscale("log")
        axes.legend(fontsize=7, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    figure.savefig(path)
