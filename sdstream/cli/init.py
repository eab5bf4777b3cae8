"""`sdstream init`: a commented configuration to start from."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from sdstream.cli.output import say

_FROM = """obs, webcam, webcam:DEVICE, ndi:NAME, testsrc, a file or a URL."""


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("sdstream.yaml"),
    source: Annotated[str, typer.Option("--from", metavar="SOURCE", help=f"The picture: {_FROM}")] = "obs",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented configuration to start from."""
    from sdstream.config.load import loads
    from sdstream.config.mistakes.missing import absent
    from sdstream.errors import Unavailable

    text = _text(source)
    if missing := absent(loads(text, str(path))):
        raise Unavailable(f"--from: {missing.removeprefix('source.url: ')}")
    _write(path, text, force)
    say(f"wrote {path}; next: sdstream check {path}, then: sdstream run {path}")


def schema_file() -> Path:
    """Return the JSON schema beside the example configurations: in the clone, or in the installed package."""
    package = Path(__file__).parents[1]
    clone = package.parent / "configs" / "schema.json"
    return clone if clone.is_file() else package / "share" / "configs" / "schema.json"


def _text(source: str) -> str:
    from sdstream.cli.start_sources import with_source
    from sdstream.system import installation

    text = files("sdstream.config").joinpath("start.yaml").read_text(encoding="utf-8")
    if not installation.missing_module("control"):
        text = re.sub(r"^# control: \{\}.*$", "control: {}", text, flags=re.MULTILINE)
    return with_source(text.replace("$schema=./schema.json", f"$schema={schema_file().as_uri()}", 1), source)


def _write(path: Path, text: str, force: bool) -> None:
    from sdstream.errors import ConfigError, Forbidden

    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already; to overwrite the file: sdstream init --force {path}") from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; name a file in an existing folder") from error
    except PermissionError as error:
        raise Forbidden(f"{path}: may not be written: {error.strerror}; name a file in a folder of yours") from error
