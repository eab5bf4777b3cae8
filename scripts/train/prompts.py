"""Prompts as people write them, each with the look it should give."""

import random
from dataclasses import dataclass

from scripts.train.looks import FALLBACK, LOOKS, NAMES

PHOTO = len(LOOKS)
"""Number of the look of an empty prompt: the camera's own picture."""

TEMPLATES = (
    "{look}", "{look}", "{look} style", "in the style of {look}", "{rest}, {look}", "{look}, {rest}",
    "{rest} in the style of {look}", "{rest} as {look}", "{look} of {rest}", "make it {look}", "{rest}, {look}, {rest}",
    "a {look} picture", "{look} look", "like {look}", "{rest} by {look}", "{look} art, {rest}",
)  # fmt: skip

FLUFF = (
    "masterpiece", "best quality", "highly detailed", "4k", "8k", "trending on artstation", "beautiful", "a man",
    "a woman", "portrait", "a person in a room", "city street", "landscape", "a streamer with headphones", "my cat",
    "a dog", "two people talking", "close up", "wide shot", "intricate", "sharp", "video of a gamer", "a forest",
    "mountains", "living room", "art", "artwork", "style", "picture", "image", "a photo of a girl", "cinematic",
)  # fmt: skip


@dataclass(frozen=True)
class Writer:
    """Writes prompts; `words` are the vocabulary's whole words, of which those that name a look are left out."""

    words: tuple[str, ...]
    pieces: tuple[str, ...]

    @classmethod
    def of(cls, vocabulary: list[str]) -> "Writer":
        """Keep the plain words of a CLIP vocabulary."""
        taken = {word for look in LOOKS for phrase in (look.name, *look.words) for word in phrase.split()}
        pieces = tuple(token for token in vocabulary if token.isalpha() and token.isascii() and len(token) <= 3)
        plain = (token.removesuffix("</w>") for token in vocabulary if token.endswith("</w>"))
        words = tuple(word for word in plain if word.isalpha() and word.isascii() and word not in taken)
        return cls(words, pieces)

    def about(self, look: int, dice: random.Random) -> str:
        """Write a prompt for one look; PHOTO gives the empty one."""
        if look == PHOTO:
            return ""
        if NAMES[look] == FALLBACK and dice.random() < 0.75:
            return self._rest(dice) + (", " + self._rest(dice) if dice.random() < 0.5 else "")
        named = LOOKS[look]
        phrase = named.name if dice.random() < 0.35 else dice.choice(named.words)
        if dice.random() < 0.08:
            phrase = _mistype(phrase, dice)
        parts = dice.choice(TEMPLATES).split("{rest}")
        text = parts[0] + "".join(self._rest(dice) + part for part in parts[1:])
        return text.replace("{look}", phrase)

    def _rest(self, dice: random.Random) -> str:
        if dice.random() < 0.4:
            return dice.choice(FLUFF)
        words = dice.choices(self.words, k=dice.randint(1, 4))
        if dice.random() < 0.25:  # words that nobody knows come apart into pieces, and the pieces must say nothing
            words[0] = "".join(dice.choices(self.pieces, k=dice.randint(2, 4)))
        return " ".join(words)


def _mistype(phrase: str, dice: random.Random) -> str:
    """Drop, double or swap one letter of a phrase that is long enough to bear it."""
    if len(phrase) < 6:
        return phrase
    place = dice.randrange(1, len(phrase) - 2)
    a, b = phrase[place], phrase[place + 1]
    return phrase[:place] + dice.choice((b, a + a + b, b + a)) + phrase[place + 2 :]
