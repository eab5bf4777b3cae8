"""A change of some controls by name: what is valid is taken over together, and each other name is refused by itself."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import get_origin

from pydantic import ValidationError

from sdstream.config.abilities import Obstacle
from sdstream.config.mistakes import explain
from sdstream.config.schema_paths import Places
from sdstream.config.yaml_tree import Node, Plain, Where
from sdstream.controls import Controls

Path = tuple[str, ...]
Check = Callable[[Controls], Sequence[Obstacle]]
"""Tells what of valid controls cannot be had in this run; a path of () concerns them as a whole."""

_FREE = tuple(name for name, field in Controls.model_fields.items() if get_origin(field.annotation) is dict)
"""Sections whose keys are the user's own names, and may hold dots."""
_HERE = Where("")


def names(changes: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return sections as single names: {"guidance": {"scale": 2}} is {"guidance.scale": 2}. Lists stay whole."""
    flat: dict[str, Plain] = {}
    for name, value in changes.items():
        if isinstance(value, dict) and value:
            flat |= {f"{name}.{inner}": part for inner, part in names(value).items()}
        else:
            flat[name] = value
    return flat


def path_of(name: str) -> Path:
    """Return the parts of a dotted name; a LoRA's own name may hold dots."""
    section, _, rest = name.partition(".")
    return (section, rest) if rest and section in _FREE else tuple(name.split("."))


def related(one: str, other: str) -> bool:
    """Tell whether two names are the same, or one stands within the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def patched(controls: Controls, changes: Mapping[str, Plain], check: Check) -> tuple[Controls, dict[str, str]]:
    """Return `controls` with the changes that can be had, and why the other names cannot, by name.

    `changes` maps dotted names to JSON values; None puts a name back to its default. Changes that are valid one by
    one and not together lose the last one that is in the way of the others.
    """
    wanted = names(changes)
    refused: dict[str, str] = {}
    while True:
        tried, wrong = _tried(controls, wanted, check)
        if not wrong:
            return tried, refused
        found = {name: reason for place, reason in wrong.items() if place for name in wanted if related(name, place)}
        found = found or _in_the_way(controls, wanted, check, wrong.get("", ""))
        refused |= found
        wanted = {name: value for name, value in wanted.items() if name not in found}


def _in_the_way(controls: Controls, wanted: Mapping[str, Plain], check: Check, reason: str) -> dict[str, str]:
    """Return the name without which the others fit together; if no single one does, those that fit one by one stay."""
    for name in reversed(list(wanted)):
        if not _tried(controls, {other: wanted[other] for other in wanted if other != name}, check)[1]:
            return {name: reason}
    kept: dict[str, Plain] = {}
    for name, value in wanted.items():
        if not _tried(controls, kept | {name: value}, check)[1]:
            kept[name] = value
    return {name: reason for name in wanted if name not in kept}


def _tried(controls: Controls, wanted: Mapping[str, Plain], check: Check) -> tuple[Controls, dict[str, str]]:
    """Return the changed controls, and what is wrong with them by name; "" concerns all of them."""
    tree = Node.of(controls.model_dump(mode="json"), _HERE)
    in_order = sorted(wanted, key=lambda name: wanted[name] is not None)  # first what goes, then what comes
    blocked = {name: reason for name in in_order if (reason := _put(tree, path_of(name), wanted[name]))}
    if blocked:
        return controls, blocked
    try:
        changed = Controls.model_validate(tree.plain())
    except ValidationError as error:
        return controls, {mistake.path: mistake.message for mistake in explain(error, tree, _places())}
    found = {".".join(obstacle.path): obstacle.reason for obstacle in check(changed)}
    return changed, {place: reason for place, reason in found.items() if any(_concerns(place, name) for name in wanted)}


def _concerns(place: str, name: str) -> bool:
    return not place or related(place, name)


def _put(tree: Node, path: Path, value: Plain) -> str:
    """Change one value; None removes it, so that its default holds. Return what is in the way, or ""."""
    nodes = tree.along(path)
    there = len(nodes) > len(path)
    holder = nodes[-2].value if there else None
    if value is None and isinstance(holder, dict):
        del holder[path[-1]]
    elif (value is None and path[0] in _FREE) or (value == {} and there and isinstance(nodes[-1].value, dict)):
        pass  # a user's own name that was not set, or a section of which nothing changes
    else:
        return tree.put(path, Node.of(value, _HERE))
    return ""


@cache
def _places() -> Places:
    return Places(Controls.model_json_schema())
