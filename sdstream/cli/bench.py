"""`sdstream bench …`: measures this machine; each module `bench_*` of this package adds verbs."""

import typer

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Settings of a verb that passes all further arguments, `--help` too, to a tree of verbs below."""


def bench(context: typer.Context) -> None:
    """Measure this machine; sdstream bench --help lists the measurements."""
    tree()(context.args, prog_name="sdstream bench")


def tree() -> typer.Typer:
    """Return the verbs below `bench`."""
    # Inside, because the modules load the settings and more, and `sdstream --help` needs no settings.
    from sdstream.cli import bench_constants, bench_engine, bench_path, bench_picture, bench_relax
    from sdstream.cli.verbs import Verbs

    verbs = typer.Typer(
        cls=Verbs,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @verbs.callback()
    def _measure() -> None:
        """Measure this machine."""

    for module in (bench_path, bench_engine, bench_picture, bench_relax, bench_constants):
        module.register(verbs)
    return verbs
