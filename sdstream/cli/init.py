"""`sdstream init`: a commented configuration to start from."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from sdstream.cli.output import say


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("sdstream.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented configuration to start from."""
    from sdstream.errors import ConfigError, Forbidden

    text = files("sdstream.config").joinpath("start.yaml").read_text(encoding="utf-8")
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already; to overwrite the file: sdstream init --force {path}") from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; name a file in an existing folder") from error
    except PermissionError as error:
        raise Forbidden(f"{path}: may not be written: {error.strerror}; name a file in a folder of yours") from error
    say(f"wrote {path}; next: sdstream check {path}, then: sdstream run {path}")
