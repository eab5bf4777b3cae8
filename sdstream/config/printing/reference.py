"""The reference page of all settings, in Markdown, written from the JSON schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sdstream.config.printing.document import schema

Schema = Mapping[str, Any]  # JSON schema has no narrower type

_HEAD = """# Configuration

<!-- Written by `sdstream schema --reference`: change the docstrings in sdstream/config/ and run scripts/docs. -->

A YAML 1.2 file describes a run. `sdstream init` writes a file to start from. `sdstream check FILE` lists every mistake,
as `file:line:column: path: message`, or prints the configuration with all defaults.

- An unknown key, or a key given twice, is an error.
- `${NAME}` takes a value from the environment, in the settings marked *secret* only, and in quotes.
- `--set a.b=value` on the command line overrides the file; list items go by number: `--set sinks.0.name=studio`.
- Relative file names start at the folder in which sdstream was started.
- `controls` may change on air: save the file, and the changed controls change the show. All other settings hold for the
  whole run.
- Anchors, aliases, tags, more than 32 levels and more than 256 kB are refused.
"""


def reference() -> str:
    """Return the text of docs/configuration.md."""
    root = schema()
    sections = [_HEAD, _section("The file", root, root)]
    sections += [_section(name, root["$defs"][name], root) for name in _in_order(root)]
    return "\n".join(sections)


def _in_order(root: Schema) -> list[str]:
    """Return the names of all sections, in the order of the first mention from the top."""
    order: list[str] = []
    queue: list[Schema] = [root]
    while queue:
        part = queue.pop(0)
        for name in _references(part.get("properties", {})):
            if name not in order:
                order.append(name)
                queue.append(root["$defs"][name])
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


def _section(title: str, part: Schema, root: Schema) -> str:
    rows = []
    for name, field in part["properties"].items():
        default = "needed" if name in part.get("required", ()) else _default(field.get("default"))
        cells = (f"`{name}`", _value(field), default, _description(field, root))
        rows.append("| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |")
    table = "\n".join(["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows])
    return f"## {_title(title)}\n\n{_description(part, root)}\n\n{table}\n"


def _title(name: str) -> str:
    return name.removesuffix("Settings")


def _description(part: Schema, root: Schema) -> str:
    """Return the docstring as a single line; where pydantic left out a docstring equal to the type's, the type's."""
    if "description" not in part and "$ref" in part:
        part = root["$defs"][part["$ref"].rpartition("/")[2]]
    return " ".join(part.get("description", "").split())


def _default(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict) and value:
        return "see the section"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _value(field: Schema) -> str:
    """Describe the accepted values in a few words."""
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
