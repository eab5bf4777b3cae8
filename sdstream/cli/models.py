"""`sdstream models …`: lists, fetches and checks models."""

from dataclasses import asdict
from typing import Annotated

import typer

from sdstream.cli.options import Json
from sdstream.cli.output import say, say_json
from sdstream.cli.progress_bar import fetching_bar
from sdstream.cli.verbs import Verbs

models = typer.Typer(cls=Verbs, help="List, fetch and check models.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="A hub id, a folder, a file, or a bundled model.", show_default=False)]


@models.command("list")
def list_(as_json: Json = False) -> None:
    """List the models on this machine."""
    from sdstream.engine.weights.hub_store import stored

    found = stored()
    if as_json:
        say_json({"models": [asdict(model) for model in found]})
        return
    for model in found:
        say(f"{model.name}  {model.origin}  {model.size / 1e6:.0f} MB  {model.path}")
    if not found:
        say("no models here; fetch a model with: sdstream models pull stabilityai/sd-turbo")


@models.command()
def pull(name: Name) -> None:
    """Fetch a model from the hub."""
    from sdstream.engine.weights.hub_store import pull as fetch

    with fetching_bar(f"fetching {name}"):
        folder, licence = fetch(name)
    say(licence)
    say(f"the model is in {folder}; use the model with: engine: {{model: {name}}}")


@models.command()
def verify(name: Name, as_json: Json = False) -> None:
    """Read every file of a model, compare the checksum, and load the model as a run would."""
    from sdstream.engine.weights.hub_store import verify as check
    from sdstream.log import configure

    configure("warning")  # the log of loading belongs neither into the table nor into the JSON
    files = check(name)
    verdict = _load(name)
    if as_json:
        say_json({"files": [asdict(file) for file in files], "verdict": verdict})
        return
    for file in files:
        say(f"{file.state:9} {file.size:>12} {file.sha256[:16]} {file.file}")
    say(f"{len(files)} {'file' if len(files) == 1 else 'files'} intact; {verdict}")


def _load(name: str) -> str:
    """Load a model in the number format of this machine, and return the verdict; raises Unavailable."""
    from sdstream.config.engine import DiffusionSettings
    from sdstream.engine.acceleration import weights_dtype
    from sdstream.engine.adapters.image_prompt.adapter_file import describe, is_ip_adapter
    from sdstream.engine.models import choose_device, load
    from sdstream.engine.weights.files import MODEL, locate
    from sdstream.engine.weights.hub_store import own_autoencoder

    autoencoder = own_autoencoder(name)
    if autoencoder is None and is_ip_adapter(file := locate(name, "model", MODEL)):
        return describe(file)
    if autoencoder is None:
        return "this is no model, so the fit shows only beside a model"
    settings = DiffusionSettings(model=name, autoencoder=autoencoder)
    dtype = weights_dtype(settings, choose_device("auto"))
    load(settings, choose_device("cpu"), dtype)
    return f"the model is whole: every weight is there, and fits in {str(dtype).removeprefix('torch.')}"
