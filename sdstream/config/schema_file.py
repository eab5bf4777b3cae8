"""The file with the JSON schema of this copy of sdstream, for editors."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def schema_file() -> Path:
    """Return the schema beside the example configurations: in the clone, or in the installed package."""
    clone = _PACKAGE.parent / "configs" / "schema.json"
    return clone if clone.is_file() else _PACKAGE / "share" / "configs" / "schema.json"
