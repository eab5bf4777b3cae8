"""`sdstream bench …`: measures this machine; each module `bench_*` of this package brings its own verbs."""

import typer

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Settings of a verb that hands everything behind it, `--help` too, to verbs of its own."""


def bench(context: typer.Context) -> None:
    """Measure this machine; sdstream bench --help lists what can be measured."""
    # Imported here: these load the settings and more, which `sdstream --help` can do without.
    from sdstream.cli import bench_constants, bench_engine, bench_path, bench_picture, bench_relax

    verbs = typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )

    @verbs.callback()
    def _measure() -> None:
        """Measure this machine."""

    for module in (bench_path, bench_engine, bench_picture, bench_relax, bench_constants):
        module.register(verbs)
    verbs(context.args, prog_name="sdstream bench")
