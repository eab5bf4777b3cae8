"""`sdstream bench …`: measures this machine; each module `bench_*` of this package brings its own verbs."""

from importlib import import_module
from importlib.util import find_spec

import typer

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Settings of a verb that hands everything behind it, `--help` too, to verbs of its own."""


def bench(context: typer.Context) -> None:
    """Measure this machine; sdstream bench --help lists what can be measured."""
    # The verbs load torch and the pipeline: a group of typer's would load them for every `sdstream --help`.
    verbs = typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )

    @verbs.callback()
    def _measure() -> None:
        """Measure this machine."""

    for name in ("bench_path", "bench_engine", "bench_relax"):
        if find_spec(f"sdstream.cli.{name}"):
            import_module(f"sdstream.cli.{name}").register(verbs)
    verbs(context.args, prog_name="sdstream bench")
