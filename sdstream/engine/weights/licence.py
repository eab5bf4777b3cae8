"""Under which licence a model comes, by its card: told when it is fetched."""

import re
from pathlib import Path

_FRONT = re.compile(r"\A---\n(.*?)^---", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^(license|license_name):[ \t]*['\"]?([^\s'\"]+)", re.MULTILINE)


def licence(folder: Path, name: str) -> str:
    """Say under which licence the model `name` in `folder` comes."""
    card = folder / "README.md"
    front = _FRONT.search(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    fields = dict(_FIELD.findall(front[1])) if front else {}
    kind = fields.get("license", "other")
    told = fields.get("license_name") if kind == "other" else kind  # `other` is followed by its name
    terms = f"the licence {told or kind}" if fields else "a licence that its card does not name"
    return f"{name} comes under {terms}: read it before you go on air, https://huggingface.co/{name}"
