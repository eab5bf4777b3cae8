"""A small configuration without mistakes, and the mistakes that the loader finds in a text."""

import pytest

from sdstream.config.load import loads
from sdstream.errors import ConfigError

GOOD = """\
version: 1
source: {kind: testsrc}
engine: {kind: passthrough}
sinks:
  - {kind: discard}
"""


def mistakes(text: str, *overrides: str, environment: dict[str, str] | None = None) -> list[str]:
    """Return the lines of the error that `text` gives."""
    with pytest.raises(ConfigError) as caught:
        loads(text, "f", overrides, environment or {})
    return str(caught.value).splitlines()
