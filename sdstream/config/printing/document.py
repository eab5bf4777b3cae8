"""The settings as text: the effective configuration without secrets, and the JSON schema for editors."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from ruamel.yaml import YAML

from sdstream.config.schema import Config
from sdstream.config.secrets import PUBLIC_OPTIONS
from sdstream.redact import STARS, escaped, mask_url, shown

_NULL = "tag:yaml.org,2002:null"


def effective(config: Config) -> dict[str, Any]:
    """Return the whole configuration with all defaults as plain data; secrets are stars, and URLs lose keys."""
    plain = _plain(config, "")
    assert isinstance(plain, dict)
    return plain


def effective_yaml(config: Config) -> str:
    """Return `effective` as YAML text."""
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar(_NULL, "null"))
    out = StringIO()
    yaml.dump(effective(config), out)
    return escaped(out.getvalue())


def schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of a configuration file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def schema_text() -> str:
    """Return the text of configs/schema.json, the JSON schema."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _plain(value: object, name: str) -> object:
    if isinstance(value, SecretStr):
        public = name == "url" or name in PUBLIC_OPTIONS
        return shown(mask_url(value.get_secret_value())) if public else STARS
    if isinstance(value, BaseModel):
        return {key: _plain(inner, key) for key, inner in value}
    if isinstance(value, dict):
        return {key: _plain(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner, name) for inner in value]
    return str(value) if isinstance(value, Path) else value
