"""Puts pydantic's errors into plain words, each with the position in the file, for the author of the file."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sdstream.config.schema_paths import SchemaPaths
from sdstream.config.yaml_tree import Mistake, Node, Plain

Path = tuple[str | int, ...]

_WORDING = {
    "model_type": "should be a mapping (`key: value` lines)",
    "model_attributes_type": "should be a mapping (`key: value` lines)",
    "dict_type": "should be a mapping (`key: value` lines)",
    "tuple_type": "should be a list (`- value` lines, or [a, b])",
    "string_type": "should be text",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "float_parsing": "should be a number",
    "bool_parsing": "should be true or false",
    "path_not_file": "should be a file that exists",
}


def explain(error: ValidationError, tree: Node, schema: SchemaPaths) -> list[Mistake]:
    """Return a mistake for each path in `error`; the messages of a union's members about the same path are joined."""
    data = tree.plain()
    found = [(*_locate(tree, details), details) for details in error.errors(include_url=False)]
    reached = {path[:length] for path, _, _ in found for length in range(len(path))}
    mistakes: dict[Path, Mistake] = {}
    for path, node, details in found:
        if path in reached:
            continue  # a union member failed further inside the value, so the author meant that member
        message = _message(path, node, details, schema, data)
        before = mistakes.get(path)
        if before and message not in before.message:
            message = f"{before.message}; or {message}"
        elif before:
            continue
        at_key = details["type"] in ("extra_forbidden", "missing")
        mistakes[path] = Mistake(node.key if at_key else node.where, dotted(path), message)
    return list(mistakes.values())


def dotted(path: Sequence[str | int]) -> str:
    """Return a path in the form of `--set`, as in `sinks.0.name`."""
    return ".".join(str(part) for part in path)


def suggestion(given: object, known: Sequence[str]) -> str:
    """Return `; did you mean "x"?` when a known name is close, else ""."""
    close = get_close_matches(str(given).lower(), known, n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _locate(tree: Node, details: ErrorDetails) -> tuple[Path, Node]:
    """Follow pydantic's location through the written values; parts that name a member of a union are skipped."""
    node = tree
    path: list[str | int] = []
    loc = details["loc"]
    for index, part in enumerate(loc):
        child = node.child(part)
        if child is not None:
            node = child
            path.append(part)
        elif index == len(loc) - 1 and details["type"] == "missing":
            path.append(part)
    if details["type"] == "union_tag_invalid" and (kind := node.child("kind")):
        return (*path, "kind"), kind
    return tuple(path), node


def _message(path: Path, node: Node, details: ErrorDetails, schema: SchemaPaths, data: Plain) -> str:
    kind = details["type"]
    context = details.get("ctx", {})
    if kind == "missing":
        return "is missing, and needed"
    if kind == "extra_forbidden":
        return "unknown key" + _known_key(str(path[-1]), path[:-1], schema, data)
    if kind == "union_tag_not_found":
        return f"needs a `kind`: {_listed(schema.kinds(path, data))}"
    secret = schema.is_secret(path, data)
    if kind in ("literal_error", "union_tag_invalid"):
        expected = str(context.get("expected") or context.get("expected_tags"))
        known = re.findall(r"'([^']*)'", expected)
        return f"should be {_listed(known) or expected}{_shown(node.value, secret)}{suggestion(node.value, known)}"
    if kind == "string_type" and not isinstance(node.value, dict | list):
        return f'should be text; write it in quotes: "{"…" if secret else _written(node.value)}"'
    if kind == "string_pattern_mismatch" and (description := schema.description(path, data)):
        return f"should be: {description}{_shown(node.value, secret)}"
    if kind == "value_error":
        return details["msg"].removeprefix("Value error, ")
    message = _WORDING.get(kind) or re.sub(r"^(Input|String|Value|Tuple|Dictionary) (should)", r"\2", details["msg"])
    return message + _shown(node.value, secret)


def _known_key(given: str, parent: Path, schema: SchemaPaths, data: Plain) -> str:
    known = schema.names(parent, data)
    if close := suggestion(given, known):
        return close
    sections = [section for section in schema.sections_with(given) if section not in parent]
    if sections:
        return f"; this key belongs under {' or '.join(sections)}"
    return f"; known here: {', '.join(known)}" if known else ""


def _listed(names: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _shown(value: object, secret: bool) -> str:
    if secret or isinstance(value, dict | list):
        return ""
    return f", not {_written(value)}"


def _written(value: object) -> str:
    """Return a scalar as in YAML, shortened, with control characters escaped for the terminal."""
    if value is None or isinstance(value, bool):
        return {None: "empty", True: "true", False: "false"}[value]
    text = str(value) if isinstance(value, int | float) else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
