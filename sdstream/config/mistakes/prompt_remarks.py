"""Remarks on prompts in words or syntax unknown to the model: the prompts are taken all the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from sdstream.config.engine import AnyEngine, DiffusionSettings
from sdstream.config.looks import looks_of
from sdstream.config.mistakes.prompt_syntax import foreign_syntax
from sdstream.controls import Controls, Prompt

MAX_REMARKS = 8
"""Remarks at most: nobody reads a longer list, and the supervisor looks through prompts while on air."""


@dataclass(frozen=True)
class Remark:
    """A prompt of the controls in words or syntax unknown to the model."""

    name: str
    """`prompt`, `negative_prompt` or `cues`."""
    text: str
    """The unknown words, and the words or settings to write instead."""


def remarks(engine: AnyEngine, controls: Controls) -> tuple[Remark, ...]:
    """Return a remark for each kind of foreign syntax in the prompts of `controls`, cues and the negative included.

    With a bundled model, also return a remark for each prompt that names no look. At most `MAX_REMARKS`.
    """
    if not isinstance(engine, DiffusionSettings):
        return ()
    wanted = dict.fromkeys(_texts(controls.prompt), "prompt")
    for cue in controls.cues:
        wanted |= {text: "cues" for text in _texts(cue.prompt) if text not in wanted}
    return tuple(islice(_found(engine.model, wanted, controls.negative_prompt), MAX_REMARKS))


def _found(model: str, wanted: Mapping[str, str], negative: str) -> Iterator[Remark]:
    """Return the remarks on `wanted` (name by prompt), each once: foreign syntax first."""
    told = set[str]()
    for prompt, name in [*wanted.items(), (negative, "negative_prompt")]:
        for text in foreign_syntax(prompt):
            if text not in told:
                told.add(text)
                yield Remark(name, text)
    if looks := looks_of(model):
        for prompt, name in wanted.items():
            if text := looks.remark(prompt):
                yield Remark(name, text)


def _texts(prompt: Prompt) -> list[str]:
    return [prompt] if isinstance(prompt, str) else [part.text for part in prompt]
