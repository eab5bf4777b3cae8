"""Prints a bill of materials (CycloneDX 1.5, JSON) of this environment: `python -m scripts.sbom`.

`python -m scripts.sbom --licences` prints a table of the licences instead. Only what sdstream needs is listed: its
libraries with all extras, and theirs.
"""

import json
import re
import sys
import uuid
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from sdstream import __version__

_UNKNOWN = "unknown"


def components() -> list[Distribution]:
    """Return the installed packages that sdstream needs, with all extras, by name; sdstream itself comes first."""
    found: dict[str, Distribution] = {}
    waiting = [("sdstream", frozenset({"all"}))]
    while waiting:
        name, extras = waiting.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # not needed on this system, or not installed
        key = _key(name)
        known = key in found
        found[key] = package
        for line in package.requires or ():
            requirement, _, marker = line.partition(";")
            extra = re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", marker)
            if (extra and extra[1] not in extras) or (known and not extra):
                continue
            parts = re.match(r"([\w.-]+)\s*(?:\[([^\]]*)\])?", requirement.strip())
            assert parts is not None
            wanted = frozenset(part.strip() for part in (parts[2] or "").split(",") if part.strip())
            if _key(parts[1]) not in found or wanted:
                waiting.append(
                    (parts[1], wanted | (extras if _key(parts[1]) == "sdstream" and wanted - extras else set()))
                )
    return sorted(found.values(), key=lambda package: (_key(package.name) != "sdstream", _key(package.name)))


def licence(package: Distribution) -> str:
    """Return the licence of a package: the SPDX expression, else a classifier, else the first line of the field."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = metadata.get_all("Classifier") or []
    named = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    text = (metadata.get("License") or "").strip().splitlines()
    return ", ".join(named) or (text[0][:60] if text else _UNKNOWN)


def bill() -> dict[str, Any]:
    """Return the bill as plain data."""
    first, *rest = components()
    serial = uuid.uuid5(uuid.NAMESPACE_URL, ";".join(_purl(package) for package in [first, *rest]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {**_component(first), "type": "application"}},
        "components": [_component(package) for package in rest],
    }


def table() -> str:
    """Return name, version and licence of each package."""
    rows = [(package.name, package.version, licence(package)) for package in components()]
    widths = [max(len(row[index]) for row in rows) for index in (0, 1)]
    return "\n".join(f"{name:<{widths[0]}}  {version:<{widths[1]}}  {text}" for name, version, text in rows)


def _component(package: Distribution) -> dict[str, Any]:
    expression = package.metadata.get("License-Expression")
    told = {"expression": expression} if expression else {"license": {"name": licence(package)}}
    return {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package.name,
        "version": _version(package),
        "licenses": [told],
        "purl": _purl(package),
    }


def _version(package: Distribution) -> str:
    return __version__ if _key(package.name) == "sdstream" else package.version


def _purl(package: Distribution) -> str:
    return f"pkg:pypi/{_key(package.name)}@{_version(package).replace('+', '%2B')}"


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    print(table() if sys.argv[1:] == ["--licences"] else json.dumps(bill(), indent=2, ensure_ascii=False))
