"""The licence of a model, read from the model card and shown after fetching the model."""

import re
from pathlib import Path

_FRONT = re.compile(r"\A---\n(.*?)^---", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^(license|license_name):[ \t]*['\"]?([^\s'\"]+)", re.MULTILINE)


def licence(folder: Path, name: str) -> str:
    """Return a line about the licence of the model `name` in `folder`."""
    card = folder / "README.md"
    front = _FRONT.search(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    fields = dict(_FIELD.findall(front[1])) if front else {}
    kind = fields.get("license", "other")
    title = fields.get("license_name") if kind == "other" else kind  # after `other` the card gives the licence's name
    terms = f"the licence {title or kind}" if fields else "a licence not stated on the model card"
    return f"{name} comes under {terms}: read the licence before you go on air, https://huggingface.co/{name}"
