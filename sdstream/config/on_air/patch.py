"""Changes some controls by name: all valid changes apply together, and each invalid name is refused with a reason."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import get_origin

from pydantic import ValidationError

from sdstream.config.abilities import Obstacle
from sdstream.config.mistakes.explain import explain
from sdstream.config.schema_paths import SchemaPaths
from sdstream.config.short_forms import long_form
from sdstream.config.yaml_tree import Node, Plain, Where
from sdstream.controls import Controls

Path = tuple[str, ...]
Check = Callable[[Controls], Sequence[Obstacle]]
"""Returns the obstacles to valid controls in this run; an obstacle with path () concerns the controls as a whole."""

_FREE = tuple(name for name, field in Controls.model_fields.items() if get_origin(field.annotation) is dict)
"""Sections with the user's own names as keys; such names may hold dots."""
_HERE = Where("")

MAX_DEPTH = 16
"""Levels of a value at most; the deepest control has four (a prompt of a cue)."""


def is_too_deep(value: Plain) -> bool:
    """Tell whether lists and mappings are nested beyond `MAX_DEPTH`: a stranger's value must exhaust no stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for part in level if isinstance(part, dict | list) for inner in _parts(part)]
        if not level:
            return False
    return True


def _parts(value: dict[str, Plain] | list[Plain]) -> Iterable[Plain]:
    return value.values() if isinstance(value, dict) else value


def names(changes: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return sections as dotted names: {"guidance": {"scale": 2}} is {"guidance.scale": 2}. Lists stay whole.

    A short form such as {"guidance": "full"} gives the names of the long form.
    """
    flat: dict[str, Plain] = {}
    for name, given in changes.items():
        value = long_form(name, given)
        if isinstance(value, dict) and value:
            flat |= {f"{name}.{inner}": part for inner, part in names(value).items()}
        else:
            flat[name] = value
    return flat


def path_of(name: str) -> Path:
    """Return the parts of a dotted name; a LoRA's own name may hold dots."""
    section, _, rest = name.partition(".")
    return (section, rest) if rest and section in _FREE else tuple(name.split("."))


def related(left: str, right: str) -> bool:
    """Tell whether two names are equal, or either name is inside the section of the other."""
    return left == right or left.startswith(f"{right}.") or right.startswith(f"{left}.")


def patched(controls: Controls, changes: Mapping[str, Plain], check: Check) -> tuple[Controls, dict[str, str]]:
    """Return `controls` with all possible changes, and the reason for each refused name.

    `changes` maps dotted names to JSON values; None puts a name back to the default. Where changes are valid alone but
    not together, the last change in conflict with the rest is refused.
    """
    wanted = names(changes)
    refused: dict[str, str] = {}
    while True:
        tried, wrong = _tried(controls, wanted, check)
        if not wrong:
            return tried, refused
        found = {name: reason for path, reason in wrong.items() if path for name in wanted if related(name, path)}
        found = found or _conflicts(controls, wanted, check, wrong.get("", ""))
        refused |= found
        wanted = {name: value for name, value in wanted.items() if name not in found}


def _conflicts(controls: Controls, wanted: Mapping[str, Plain], check: Check, reason: str) -> dict[str, str]:
    """Return the last name without which the rest fits together.

    Where no single name is enough, keep each change that fits with the changes kept so far, and return the rest.
    """
    for name in reversed(list(wanted)):
        if not _tried(controls, {kept: value for kept, value in wanted.items() if kept != name}, check)[1]:
            return {name: reason}
    kept: dict[str, Plain] = {}
    for name, value in wanted.items():
        if not _tried(controls, kept | {name: value}, check)[1]:
            kept[name] = value
    return {name: reason for name in wanted if name not in kept}


def _tried(controls: Controls, wanted: Mapping[str, Plain], check: Check) -> tuple[Controls, dict[str, str]]:
    """Return the changed controls, and the reasons against the change by name; "" concerns the controls as a whole."""
    tree = Node.of(controls.model_dump(mode="json"), _HERE)
    in_order = sorted(
        wanted, key=lambda name: wanted[name] is not None
    )  # a removed section must not take new values along
    blocked = {name: reason for name in in_order if (reason := _put(tree, path_of(name), wanted[name]))}
    if blocked:
        return controls, blocked
    try:
        changed = Controls.model_validate(tree.plain())
    except ValidationError as error:
        return controls, {mistake.path: mistake.message for mistake in explain(error, tree, _schema_paths())}
    found = {".".join(obstacle.path): obstacle.reason for obstacle in check(changed)}
    return changed, {path: reason for path, reason in found.items() if any(_concerns(path, name) for name in wanted)}


def _concerns(path: str, name: str) -> bool:
    return not path or related(path, name)


def _put(tree: Node, path: Path, value: Plain) -> str:
    """Change a value; None removes the value, so that the default holds. Return the reason for a refusal, or ""."""
    nodes = tree.along(path)
    exists = len(nodes) > len(path)
    holder = nodes[-2].value if exists else None
    if value is None and isinstance(holder, dict):
        del holder[path[-1]]
    elif (value is None and path[0] in _FREE) or (value == {} and exists and isinstance(nodes[-1].value, dict)):
        pass  # nothing to do for an unset name of the user's, and for a section without changes
    else:
        return tree.put(path, Node.of(value, _HERE))
    return ""


@cache
def _schema_paths() -> SchemaPaths:
    return SchemaPaths(Controls.model_json_schema())
