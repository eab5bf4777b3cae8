"""`sdstream check`: everything that is wrong with a configuration, or what it comes to."""

from sdstream.cli.options import ConfigFile, Json, Overrides
from sdstream.cli.output import say, say_json


def check(config: ConfigFile, overrides: Overrides = None, json: Json = False) -> None:
    """Say everything that is wrong with a configuration (exit 78), or print it with all defaults, without secrets."""
    from sdstream.config.document import effective, effective_yaml
    from sdstream.config.load import load

    settings = load(config, overrides or ())
    if json:
        say_json(effective(settings))
    else:
        say(effective_yaml(settings), end="")
