"""The looks that a bundled model was taught: names, further words, and a sheet of thumbnails."""

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from sdstream.config.model_names import BUNDLED

_PACKAGE = Path(__file__).parents[1]
_READ = 100
"""Letters of a prompt compared with the looks: a comparison of the longest prompt would take seconds."""
_CLOSE = 0.45
"""Likeness (0-1, of difflib) of a word and a look from which the look is named as near."""


@dataclass(frozen=True)
class Look:
    """A look, and the words that call the look in a prompt."""

    name: str
    words: tuple[str, ...]
    """Further names, such as `van gogh` for `starry`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name, then the further words."""
        return self.name, *self.words


@dataclass(frozen=True)
class Looks:
    """All looks of a model."""

    model: str
    fallback: str
    """The look of a prompt that names no look."""
    looks: tuple[Look, ...]

    def named_in(self, prompt: str) -> list[Look]:
        """Return the looks whose name or word stands in `prompt`."""
        text = _plain(prompt)
        return [look for look in self.looks if any(f" {_plain(name).strip()} " in text for name in look.names)]

    def nearest(self, prompt: str) -> list[str]:
        """Return up to three names of looks near to `prompt` by spelling, nearest first; may be empty."""
        start = prompt[:_READ].lower()
        words = dict.fromkeys([start, *re.findall(r"[^\W_]{3,}", start)])
        scores = {look.name: max(_likeness(word, name) for word in words for name in look.names) for look in self.looks}
        close = sorted((name for name, score in scores.items() if score >= _CLOSE), key=lambda name: -scores[name])
        return close[:3]

    def remark(self, prompt: str) -> str:
        """Return what to tell about a prompt that names no look; empty for a prompt with a look, or without words."""
        if not prompt.strip() or self.named_in(prompt):
            return ""
        near = self.nearest(prompt)
        guess = f"; nearest: {', '.join(near)}" if near else ""
        return (
            f"{prompt!r}: the bundled model {self.model} knows no such look, and paints {self.fallback}{guess}; "
            "see: sdstream looks"
        )


def looks_of(model: str) -> Looks | None:
    """Return the looks of a bundled model; None for every other model, which may know any word."""
    file = BUNDLED / model / "looks.json"
    if not model.isidentifier() or not file.is_file():
        return None
    data = json.loads(file.read_text(encoding="utf-8"))
    looks = tuple(Look(entry["name"], tuple(entry["words"])) for entry in data["looks"])
    return Looks(model, data["fallback"], looks)


def sheet() -> Path | None:
    """Return the picture with a thumbnail of each look of `mini`; None in a copy without the picture."""
    places = (_PACKAGE.parent / "docs" / "model" / "looks.png", _PACKAGE / "share" / "docs" / "model" / "looks.png")
    return next((place for place in places if place.is_file()), None)


def _likeness(word: str, name: str) -> float:
    """Return how alike two spellings are, 0-1; a short word is like many names by chance, and counts less."""
    return SequenceMatcher(None, word, name).ratio() * min(1.0, len(word) / 6)


def _plain(text: str) -> str:
    """Return the words of `text` in lower case with single spaces between and around, without signs and weights."""
    words = re.findall(r"[^\W_]+", re.sub(r":[0-9.]+", "", text.lower()))
    return f" {' '.join(words)} "
