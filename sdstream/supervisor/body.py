"""A stage's function with all arguments: mypy finds a wrong argument here, before a spawned process would fail."""

from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec

from sdstream.ipc.context import Context

P = ParamSpec("P")


class Body(Generic[P]):
    """A function `run(context, …)` with all arguments except the context; may be sent to a spawned process."""

    def __init__(self, run: Callable[Concatenate[Context, P], None], /, *args: P.args, **kwargs: P.kwargs) -> None:
        self._run = run
        self._args = args
        self._kwargs = kwargs

    def __call__(self, context: Context) -> None:
        """Run the function until the context says to stop. Raises every error of the function."""
        self._run(context, *self._args, **self._kwargs)
