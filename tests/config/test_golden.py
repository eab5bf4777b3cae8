"""A configuration of every published version is read, and a version from the future is refused in plain words."""

from pathlib import Path

import pytest

from sdstream import __version__
from sdstream.config.load import load, loads
from sdstream.errors import ConfigError
from tests.config.configuration_text import GOOD

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.yaml"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_a_configuration_of_every_published_version_is_read(file: Path):
    config = load(file, (), {"SDSTREAM_KEY": "a-key-of-a-test", "TWITCH_KEY": "another-key"})
    assert (config.version, len(config.sinks)) == (1, 5)


def test_this_version_has_a_configuration_here():
    assert __version__ in {file.stem for file in GOLDEN}


@pytest.mark.parametrize("version", ["0", "2", "1.1", "'1'", "latest", "[1]", "~"])
def test_a_version_of_the_format_that_is_not_known_is_refused(version: str):
    with pytest.raises(ConfigError, match="version: should be 1"):
        loads(GOOD.replace("version: 1", f"version: {version}"), "f")
