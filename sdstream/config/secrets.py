"""The secrets of the settings, for the logs to hide."""

from pydantic import BaseModel, SecretStr

from sdstream.config.schema import Config
from sdstream.redact import hide, hide_url


def hide_secrets(config: Config) -> None:
    """Make the logs of this process hide each secret of `config`, and of a URL the parts that may be secret."""
    _hide(config, "")


def _hide(value: object, name: str) -> None:
    if isinstance(value, SecretStr):
        (hide_url if name == "url" else hide)(value.get_secret_value())
    elif isinstance(value, BaseModel):
        for key, inner in value:
            _hide(inner, key)
    elif isinstance(value, tuple | list):
        for inner in value:
            _hide(inner, name)
