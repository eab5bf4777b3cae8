"""What pydantic found wrong, in words for the person who wrote the file, at the place where they wrote it."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sdstream.config.schema_paths import Places
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


def explain(error: ValidationError, tree: Node, places: Places) -> list[Mistake]:
    """Return one mistake for each place that `error` names; what a union says about one place is joined."""
    data = tree.plain()
    found = [(*_locate(tree, details), details) for details in error.errors(include_url=False)]
    reached = {path[:length] for path, _, _ in found for length in range(len(path))}
    told: dict[Path, Mistake] = {}
    for path, node, details in found:
        if path in reached:
            continue  # another alternative of a union got further into the value: that one was meant
        message = _message(path, node, details, places, data)
        before = told.get(path)
        if before and message not in before.message:
            message = f"{before.message}; or {message}"
        elif before:
            continue
        at_key = details["type"] in ("extra_forbidden", "missing")
        told[path] = Mistake(node.key if at_key else node.where, dotted(path), message)
    return list(told.values())


def dotted(path: Sequence[str | int]) -> str:
    """Write a path as `--set` takes it."""
    return ".".join(str(part) for part in path)


def suggestion(given: object, known: Sequence[str]) -> str:
    """Return `; did you mean "x"?` when one of the known names is close, else nothing."""
    close = get_close_matches(str(given).lower(), known, n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _locate(tree: Node, details: ErrorDetails) -> tuple[Path, Node]:
    """Follow pydantic's location, which also names the alternatives of unions, through what was written."""
    node = tree
    path: list[str | int] = []
    loc = details["loc"]
    for place, part in enumerate(loc):
        child = node.child(part)
        if child is not None:
            node = child
            path.append(part)
        elif place == len(loc) - 1 and details["type"] == "missing":
            path.append(part)
    if details["type"] == "union_tag_invalid" and (kind := node.child("kind")):
        return (*path, "kind"), kind
    return tuple(path), node


def _message(path: Path, node: Node, details: ErrorDetails, places: Places, data: Plain) -> str:
    kind = details["type"]
    context = details.get("ctx", {})
    if kind == "missing":
        return "is missing, and needed"
    if kind == "extra_forbidden":
        return "unknown key" + _other_key(str(path[-1]), path[:-1], places, data)
    if kind == "union_tag_not_found":
        return f"needs a `kind`: {_listed(places.kinds(path, data))}"
    secret = places.is_secret(path, data)
    if kind in ("literal_error", "union_tag_invalid"):
        expected = str(context.get("expected") or context.get("expected_tags"))
        known = re.findall(r"'([^']*)'", expected)
        return f"should be {_listed(known) or expected}{_shown(node.value, secret)}{suggestion(node.value, known)}"
    if kind == "string_type" and not isinstance(node.value, dict | list):
        return f'should be text; write it in quotes: "{"…" if secret else _written(node.value)}"'
    if kind == "string_pattern_mismatch" and (description := places.description(path, data)):
        return f"should be: {description}{_shown(node.value, secret)}"
    if kind == "value_error":
        return details["msg"].removeprefix("Value error, ")
    message = _WORDING.get(kind) or re.sub(r"^(Input|String|Value|Tuple|Dictionary) (should)", r"\2", details["msg"])
    return message + _shown(node.value, secret)


def _other_key(given: str, parent: Path, places: Places, data: Plain) -> str:
    known = places.names(parent, data)
    if close := suggestion(given, known):
        return close
    homes = [home for home in places.homes(given) if home not in parent]
    if homes:
        return f"; it belongs under {' or '.join(homes)}"
    return f"; known here: {', '.join(known)}" if known else ""


def _listed(names: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _shown(value: object, secret: bool) -> str:
    if secret or isinstance(value, dict | list):
        return ""
    return f", not {_written(value)}"


def _written(value: object) -> str:
    """Write a scalar as YAML has it, shortened, with nothing that a terminal would obey."""
    if value is None or isinstance(value, bool):
        return {None: "empty", True: "true", False: "false"}[value]
    text = str(value) if isinstance(value, int | float) else repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
