"""`sdstream schema`: the JSON schema for editors, and the reference page of all settings."""

from typing import Annotated

import typer

from sdstream.cli.output import say, say_json_text


def schema(
    reference: Annotated[bool, typer.Option("--reference", help="Print the reference page in Markdown.")] = False,
) -> None:
    """Print the JSON schema of configuration files, for editors: sdstream schema > schema.json."""
    from sdstream.config.printing import document
    from sdstream.config.printing.reference import reference as page

    if reference:
        say(page(), end="")
    else:
        say_json_text(document.schema_text().removesuffix("\n"))
