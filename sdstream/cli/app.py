"""The tree of verbs. Imports no library but typer, so `--help` is quick."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from sdstream import __version__
from sdstream.cli import bench, check, ctl, demo, doctor, init, looks, models, probe, run, schema, sinks, sources
from sdstream.cli.verbs import Verbs

app = typer.Typer(
    cls=Verbs,
    help="Restyle live video: NDI or RTMP in, StreamDiffusion, virtual camera, NDI or RTMP out.",
    epilog="Exit status: 0 done, 2 usage, 69 something is missing, 70 bug, 77 not permitted, 78 configuration.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sdstream {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", metavar="FILE", help="Read variables for secrets: NAME=VALUE on each line."),
    ] = None,
) -> None:
    if env_file is not None:
        from sdstream.config.environment import read_env_file

        read_env_file(env_file)


_VERBS: tuple[Callable[..., None], ...] = (
    run.run,
    demo.demo,
    init.init,
    check.check,
    schema.schema,
    sources.sources,
    sinks.sinks,
    probe.probe,
    doctor.doctor,
    looks.looks,
)
for _verb in _VERBS:
    app.command()(_verb)
app.add_typer(models.models, name="models")
app.add_typer(ctl.ctl, name="ctl")
app.command(context_settings=bench.PASS_ON)(bench.bench)
