"""What a changed configuration does to a running show, setting by setting."""

import enum
from collections.abc import Iterator

from pydantic import BaseModel

from sdstream.config.schema import Config


class Effect(enum.StrEnum):
    """What happens on air when a setting changes."""

    LIVE = "changes with the next picture"
    ENGINE = "loads a new engine beside the running engine, and takes over between two pictures"
    SOURCE = "opens the source anew; the outputs hold their picture, then show the slate"
    ADDED = "adds the output; all other outputs go on"
    REMOVED = "ends the output; all other outputs go on"
    NEXT_START = "waits for the next start"


_SECTIONS = {
    "controls": Effect.LIVE,
    "engine": Effect.ENGINE,
    "stabilise": Effect.ENGINE,
    "source": Effect.SOURCE,
}
"""All further sections wait for the next start; the sinks are compared one by one."""


def effects(old: Config, new: Config) -> list[tuple[str, Effect]]:
    """Return the dotted name of each changed setting, and the effect of the change on a running show."""
    found = list(_sinks(old, new))
    for section in Config.model_fields:
        before, after = getattr(old, section), getattr(new, section)
        if section == "sinks" or before == after:
            continue
        effect = _SECTIONS.get(section, Effect.NEXT_START)
        found += [(name, effect) for name in _changed(before, after, section)]
    return sorted(found)


def waits(old: Config, new: Config) -> list[str]:
    """Return the names of the changed settings that wait for the next start."""
    return [name for name, effect in effects(old, new) if effect is Effect.NEXT_START]


def on_air(old: Config, new: Config) -> Config:
    """Return `new`, with the settings of `old` wherever a change waits for the next start."""
    kept = {name: getattr(old, name) for name in Config.model_fields if name not in (*_SECTIONS, "sinks")}
    return new.model_copy(update=kept)


def _sinks(old: Config, new: Config) -> Iterator[tuple[str, Effect]]:
    left = list(old.sinks)
    for index, sink in enumerate(new.sinks):
        if sink in left:
            left.remove(sink)
        else:
            yield f"sinks.{index} ({sink.kind})", Effect.ADDED
    for sink in left:
        yield f"sinks.{old.sinks.index(sink)} of before ({sink.kind})", Effect.REMOVED


def _changed(before: object, after: object, name: str) -> Iterator[str]:
    """Yield the names below `name` whose values differ; settings of two kinds differ as a whole."""
    if type(before) is not type(after) or not isinstance(before, BaseModel):
        yield name
        return
    for field in type(before).model_fields:
        if getattr(before, field) != getattr(after, field):
            yield from _changed(getattr(before, field), getattr(after, field), f"{name}.{field}")
