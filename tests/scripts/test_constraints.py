"""constraints.txt pins each package that an installation for the tests brings, once and in order."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from tomllib import loads

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PINS = [
    line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[:1] not in ("#", "")
]


def wanted() -> set[Requirement]:
    """Return what pyproject.toml asks for, with every extra and the group of the tests."""
    project = loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    texts = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    texts += [text for extra in extras if extra not in ("all", "tensorrt") for text in extras[extra]]
    return {Requirement(text) for text in texts if not text.startswith("sdstream[")}


def holds(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""})


def beneath(requirement: Requirement, seen: set[str]) -> Iterator[str]:
    """Return the names of `requirement` and of everything that the installed packages beneath ask for."""
    name = canonicalize_name(requirement.name)
    if name in seen or not holds(requirement, set()):
        return
    seen.add(name)
    yield name
    try:
        texts = requires(name) or []
    except PackageNotFoundError:  # an extra that is not installed here
        return
    for inner in map(Requirement, texts):
        if holds(inner, set(requirement.extras)):
            inner.marker = None
            yield from beneath(inner, seen)


def test_every_package_beneath_is_pinned() -> None:
    pinned = {canonicalize_name(pin.partition("==")[0]) for pin in PINS}
    seen: set[str] = set()
    brought = {name for requirement in wanted() for name in beneath(requirement, seen)}
    cuda = {name for name in brought if re.match(r"nvidia-|cuda-|triton", name)}  # come with torch's CUDA build
    assert brought - cuda - pinned == set()


def test_the_pins_are_in_order_and_each_stands_once() -> None:
    assert sorted(PINS, key=str.lower) == PINS
    assert len({(pin.partition("==")[0], pin.partition(";")[2]) for pin in PINS}) == len(PINS)
