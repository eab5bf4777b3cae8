"""Progress bars on the terminal behind standard error; without a terminal there is no bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_MEGABYTE = 1_000_000

_BESIDE = 51
"""Columns for the bar and the numbers; the title has the rest of the line."""


@contextmanager
def progress_bar(title: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """Show a bar during the block; the function given takes how much of `total` is done by now.

    Without a `total` the bar moves, and the time since the beginning is shown.
    """
    from rich.progress import TaskProgressColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TimeElapsedColumn(),) if total is None else (TaskProgressColumn(), TimeRemainingColumn())
    with _bars(*columns) as bars:
        task = bars.add_task(title, total=total)
        yield lambda done: bars.update(task, completed=done)


@contextmanager
def fetching_bar(title: str) -> Iterator[None]:
    """Show how much the block has fetched from the hub: bytes, speed and the time to go."""
    from rich.progress import DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

    from sdstream.ipc.loading import Phase
    from sdstream.ipc.progress import heard_by

    with _bars(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()) as bars:
        task = bars.add_task(title, total=None)

        def show(phase: Phase, step: int, steps: int) -> None:
            if phase is Phase.FETCHING:
                bars.update(task, completed=step * _MEGABYTE, total=steps * _MEGABYTE)

        with heard_by(show):
            yield


def _bars(*columns: "ProgressColumn") -> "Progress":
    """Return bars with a title, the bar and `columns`; a long title is cut, so that a bar stays on its line."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    console = Console(file=sys.stderr, markup=False)
    title = Column(overflow="ellipsis", no_wrap=True, max_width=max(8, console.width - _BESIDE))
    return Progress(
        TextColumn("{task.description}", table_column=title, markup=False),
        BarColumn(bar_width=20),
        *columns,
        console=console,
        transient=True,
        disable=not sys.stderr.isatty(),
        redirect_stdout=False,
        redirect_stderr=False,
    )
