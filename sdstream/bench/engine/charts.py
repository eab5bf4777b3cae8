"""Charts of the benchmarks' tables: a panel for each table, with bars of milliseconds or shares."""

from pathlib import Path

from sdstream.bench.engine.workbench import Row
from sdstream.errors import Unavailable
from sdstream.system.installation import pip_line

_BARS = {
    "modes": ["ms"],
    "profile": ["ms"],
    "per_call": ["picture_ms"],
    "ablation": ["ms"],
    "similarity": ["unet_rows"],
}
_NAMES = ("clip", "n", "frames", "mode", "part", "engine", "filter")


def draw_tables(tables: dict[str, list[Row]], file: Path) -> None:
    """Draw `tables` into `file`; the suffix of the file gives the format. Raises Unavailable without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Unavailable(f"--plot needs matplotlib; type: {pip_line('matplotlib')}") from error
    figure = Figure(figsize=(8, 4 * len(tables)), layout="constrained")
    panels = figure.subplots(len(tables), squeeze=False)
    for panel, (name, rows) in zip(panels[:, 0], tables.items(), strict=True):
        columns = _BARS.get(name) or [column for column in rows[0] if column.endswith("_ms")]
        width = 0.8 / len(columns)
        for index, column in enumerate(columns):
            at = [k + index * width for k in range(len(rows))]
            panel.bar(at, [row[column] for row in rows], width, label=column)
        labels = [" ".join(str(row[key]) for key in _NAMES if key in row) for row in rows]
        panel.set_xticks([k + 0.4 - width / 2 for k in range(len(rows))], labels, rotation=30, ha="right")
        panel.set_title(name)
        panel.legend()
    figure.savefig(file)
