"""Reads from the JSON schema which names a path of the configuration may hold, and which values are secrets."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sdstream.config.yaml_tree import Plain

Schema = Mapping[str, Any]  # JSON schema has no narrower type
Path = Sequence[str | int]


class SchemaPaths:
    """Answers questions about a path in a tree of settings."""

    def __init__(self, schema: Schema) -> None:
        self.root = schema
        self._secret_names = set(_secret_names(schema))

    def names(self, path: Path, data: Plain) -> list[str]:
        """Return the known keys of the mapping at `path`, sorted."""
        return sorted({name for schema in self._at(path, data) for name in schema.get("properties", {})})

    def kinds(self, path: Path, data: Plain) -> list[str]:
        """Return the known kinds of the settings at `path`."""
        found = (schema.get("properties", {}).get("kind", {}) for schema in self._at(path, data))
        return [kind["const"] for kind in found if "const" in kind]

    def description(self, path: Path, data: Plain) -> str:
        """Return the documentation of the setting at `path`, or ""."""
        owners = self._at(path[:-1], data)
        found = (owner.get("properties", {}).get(path[-1], {}).get("description", "") for owner in owners)
        return " ".join(next(filter(None, found), "").split()).rstrip(".")

    def is_secret(self, path: Path, data: Plain) -> bool:
        """Tell whether the value at `path` is a secret: never shown, and free to come from the environment."""
        if not self._secret_names & {*path[-2:]}:  # quick: a file may have 60,000 places
            return False
        return any(schema.get("format") == "password" for schema in self._at(path, data))

    def sections_with(self, name: str) -> list[str]:
        """Return the top-level sections of the file with a key `name`."""
        sections = self.root.get("properties", {})
        return [section for section, schema in sections.items() if name in self._every_name(schema)]

    def _every_name(self, schema: Schema) -> set[str]:
        return {name for variant in self._variants(schema, None) for name in variant.get("properties", {})}

    def _at(self, path: Path, data: Plain) -> list[Schema]:
        schemas = list(self._variants(self.root, data))
        for part in path:
            data = _child(data, part)
            steps = [step for schema in schemas for step in _step(schema, part)]
            schemas = [variant for step in steps for variant in self._variants(step, data)]
        return schemas

    def _variants(self, schema: Schema, data: Plain) -> Iterator[Schema]:
        """Follow references and unions; leave out members of a union with a `kind` different from that of `data`."""
        if reference := schema.get("$ref"):
            schema = self.root["$defs"][reference.rpartition("/")[2]]
        branches: Iterable[Schema] = schema.get("oneOf") or schema.get("anyOf") or ()
        if not branches:
            yield schema
        found = [variant for branch in branches for variant in self._variants(branch, data)]
        fitting = [variant for variant in found if _fits(variant, data)]
        yield from fitting or found


def _secret_names(schema: object) -> Iterator[str]:
    """Yield the name of each setting that is a secret, or a mapping with secrets."""
    if isinstance(schema, dict):
        for name, inner in schema.items():
            if name == "properties":
                yield from (key for key, value in inner.items() if '"password"' in json.dumps(value))
            yield from _secret_names(inner)


def _fits(schema: Schema, data: Plain) -> bool:
    kind = schema.get("properties", {}).get("kind", {})
    given = data.get("kind", kind.get("default")) if isinstance(data, dict) else None
    return "const" not in kind or given == kind["const"]


def _child(data: Plain, part: str | int) -> Plain:
    if isinstance(data, dict):
        return data.get(str(part))
    if isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data):
        return data[part]
    return None


def _step(schema: Schema, part: str | int) -> list[Schema]:
    if isinstance(part, int):
        return [schema["items"]] if "items" in schema else []
    if part in schema.get("properties", {}):
        return [schema["properties"][part]]
    extra = schema.get("additionalProperties")
    return [extra] if isinstance(extra, Mapping) else []
