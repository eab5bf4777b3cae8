"""`sdstream check`: lists every mistake of a configuration, or prints the configuration."""

from sdstream.cli.options import ConfigFile, Json, Overrides
from sdstream.cli.output import say, say_json
from sdstream.errors import Unavailable


def check(config: ConfigFile, overrides: Overrides = None, json: Json = False) -> None:
    """List every mistake of a configuration (exit 78), or print the configuration with defaults, without secrets."""
    from sdstream.config.document import effective, effective_yaml
    from sdstream.config.load import load
    from sdstream.config.mistakes.missing import absent

    settings = load(config, overrides or ())
    if missing := absent(settings):
        raise Unavailable(missing)
    if json:
        say_json(effective(settings))
    else:
        say(effective_yaml(settings), end="")
