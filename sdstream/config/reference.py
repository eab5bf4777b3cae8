"""The reference page of all settings, in Markdown, written from the JSON schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sdstream.config.document import schema

Schema = Mapping[str, Any]  # JSON schema has no narrower type

_HEAD = """# Configuration

<!-- Written by `sdstream schema --reference`: change the docstrings in sdstream/config/ and run scripts/docs. -->

One YAML 1.2 file describes a run. `sdstream init` writes one to start from, `sdstream check FILE` says everything
that is wrong with it, as `file:line:column: path: message`, and prints what it comes to.

- A key that is not known, or given twice, is an error.
- `${NAME}` takes a value from the environment, in the settings marked *secret* only, and in quotes.
- `--set a.b=value` on the command line overrides the file; list items go by number: `--set sinks.0.name=studio`.
- File names are looked up from the folder in which sdstream is started.
- `controls` may change while on air: save the file, and what changed in it changes the show. Everything else holds for
  the whole run.
- Anchors, aliases, tags, more than 32 levels and more than 256 kB are refused.
"""


def reference() -> str:
    """Return the page as it is kept in docs/configuration.md."""
    whole = schema()
    sections = [_HEAD, _section("The file", whole, whole)]
    sections += [_section(name, whole["$defs"][name], whole) for name in _in_order(whole)]
    return "\n".join(sections)


def _in_order(whole: Schema) -> list[str]:
    """Return the names of all parts in the order in which a reader meets them from the top."""
    order: list[str] = []
    queue: list[Schema] = [whole]
    while queue:
        part = queue.pop(0)
        for name in _references(part.get("properties", {})):
            if name not in order:
                order.append(name)
                queue.append(whole["$defs"][name])
    return order


def _references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].rpartition("/")[2]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _section(title: str, part: Schema, whole: Schema) -> str:
    rows = []
    for name, field in part["properties"].items():
        default = "needed" if name in part.get("required", ()) else _default(field.get("default"))
        cells = (f"`{name}`", _value(field), default, _description(field, whole))
        rows.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    table = "\n".join(["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows])
    return f"## {_title(title)}\n\n{_description(part, whole)}\n\n{table}\n"


def _title(name: str) -> str:
    return name.removesuffix("Settings")


def _description(part: Schema, whole: Schema) -> str:
    """Return the docstring on one line; pydantic leaves it out where it equals that of the type."""
    if "description" not in part and "$ref" in part:
        part = whole["$defs"][part["$ref"].rpartition("/")[2]]
    return " ".join(part.get("description", "").split())


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict) and value:
        return "see there"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _value(field: Schema) -> str:
    """Say in a few words what may stand here."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{_title(name)}](#{_title(name).lower()})"
    if branches := field.get("oneOf") or field.get("anyOf"):
        return " or ".join(dict.fromkeys(_value(branch) for branch in branches if branch.get("type") != "null"))
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    return _typed(field)


def _typed(field: Schema) -> str:
    kind = field.get("type")
    if kind == "array":
        return f"list of {_value(field['items'])}" if "items" in field else "list"
    if kind == "object":
        inner = field.get("additionalProperties")
        return f"name: {_value(inner)}" if isinstance(inner, Mapping) else "mapping"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    word = "*secret* text" if field.get("format") == "password" else words.get(str(kind), str(kind))
    limits = [
        f"{sign} {field[key]:g}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if key in field
    ]
    return " ".join([word, *limits])
