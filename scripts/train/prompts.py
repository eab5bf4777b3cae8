"""Writes prompts in the manner of users, each for a given look."""

import random
from dataclasses import dataclass

from scripts.train.looks import FALLBACK, LOOKS, NAMES

PHOTO = len(LOOKS)
"""Index of the look of an empty prompt: the camera picture."""

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
    """Writes prompts from words and pieces of the vocabulary."""

    words: tuple[str, ...]
    """The vocabulary's complete words, without the names of looks."""
    pieces: tuple[str, ...]
    """The vocabulary's pieces of words, up to three letters long."""

    @classmethod
    def of(cls, vocabulary: list[str]) -> "Writer":
        """Take words and pieces from a CLIP vocabulary: ASCII letters only."""
        taken = {word for look in LOOKS for phrase in (look.name, *look.words) for word in phrase.split()}
        pieces = tuple(token for token in vocabulary if token.isalpha() and token.isascii() and len(token) <= 3)
        plain = (token.removesuffix("</w>") for token in vocabulary if token.endswith("</w>"))
        words = tuple(word for word in plain if word.isalpha() and word.isascii() and word not in taken)
        return cls(words, pieces)

    def about(self, look: int, rng: random.Random) -> str:
        """Write a prompt for a look; PHOTO gives the empty prompt."""
        if look == PHOTO:
            return ""
        if NAMES[look] == FALLBACK and rng.random() < 0.75:
            return self._rest(rng) + (", " + self._rest(rng) if rng.random() < 0.5 else "")
        named = LOOKS[look]
        phrase = named.name if rng.random() < 0.35 else rng.choice(named.words)
        if rng.random() < 0.08:
            phrase = _mistype(phrase, rng)
        parts = rng.choice(TEMPLATES).split("{rest}")
        text = parts[0] + "".join(self._rest(rng) + part for part in parts[1:])
        return text.replace("{look}", phrase)

    def _rest(self, rng: random.Random) -> str:
        if rng.random() < 0.4:
            return rng.choice(FLUFF)
        words = rng.choices(self.words, k=rng.randint(1, 4))
        if rng.random() < 0.25:  # the tokenizer splits unknown words into pieces, and pieces must have no effect
            words[0] = "".join(rng.choices(self.pieces, k=rng.randint(2, 4)))
        return " ".join(words)


def _mistype(phrase: str, rng: random.Random) -> str:
    """Drop, double or swap one letter of a phrase of six letters or more."""
    if len(phrase) < 6:
        return phrase
    index = rng.randrange(1, len(phrase) - 2)
    a, b = phrase[index], phrase[index + 1]
    return phrase[:index] + rng.choice((b, a + a + b, b + a)) + phrase[index + 2 :]
