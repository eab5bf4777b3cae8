"""Reads a file and the command line's overrides into settings; reports all mistakes at once, as file:line:column."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from sdstream.config.abilities import Obstacle, obstacles
from sdstream.config.environment import secrets_environment
from sdstream.config.file_text import read_text
from sdstream.config.mistakes.clashes import clashes
from sdstream.config.mistakes.explain import dotted, explain
from sdstream.config.mistakes.missing import missing_files
from sdstream.config.mistakes.suspects import suspects
from sdstream.config.schema import Config
from sdstream.config.schema_paths import SchemaPaths
from sdstream.config.secrets import VARIABLE, exposed, hide_secrets, secrets
from sdstream.config.short_forms import lengthen
from sdstream.config.yaml_tree import Mistake, Node, Plain, Where, YamlError, parse
from sdstream.errors import ConfigError, Forbidden
from sdstream.log import get_logger
from sdstream.redact import hide

MAX_SHOWN = 100
"""Most mistakes printed; a file with more needs a rewrite, and a longer list would not help."""

_EXPOSED = "write ${NAME} in the file, and put the secret into the environment: export NAME=…"


@dataclass(frozen=True)
class Reading:
    """The content of a file: the values with positions, and all mistakes."""

    written: Plain
    """The file's own values, without overrides."""
    tree: Node = field(repr=False)
    """The values with overrides and secrets."""
    config: Config | None
    """The settings; None when there are mistakes."""
    exposed: tuple[str, ...]
    """The secrets that `--set` gave, by dotted name: the list of processes shows them."""
    mistakes: tuple[Mistake, ...]
    duplicates: tuple[Mistake, ...]
    """The keys given twice; `mistakes` holds these as well."""


def load(path: Path, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration at `path`, with `a.b=c` overrides on top and secrets from the environment.

    Raise ConfigError with every mistake, each on a line.
    """
    return accepted(read(path, overrides, environment))


def loads(text: str, name: str, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Config:
    """Read a configuration from text, as `load` does from a file; `name` stands for the file in the mistakes."""
    return accepted(understand(text, name, overrides, environment))


def read(path: Path, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Reading:
    """Read the configuration at `path`, and collect the mistakes. Raise ConfigError for a file without a mapping."""
    return understand(read_text(path), str(path), overrides, environment)


def accepted(reading: Reading) -> Config:
    """Return the settings. Raise ConfigError for mistakes, or Forbidden where permissions are all that is missing."""
    if reading.config is None:
        forbidden = all(mistake.forbidden for mistake in reading.mistakes)
        raise (Forbidden if forbidden else ConfigError)(lines(reading.mistakes))
    for name in reading.exposed:
        get_logger().warning("a secret in --set is seen in the list of processes", name=name, advice=_EXPOSED)
    return reading.config


def understand(
    text: str, name: str, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Reading:
    """Read a configuration from text, and collect the mistakes. Raise ConfigError for a text without a mapping."""
    try:
        tree, mistakes = parse(text, name)
    except YamlError as error:
        raise ConfigError(str(error.mistake)) from error
    if tree is None:
        raise ConfigError(f"{name}: the file is empty; write a new file with: sdstream init")
    if not isinstance(tree.value, dict):
        raise ConfigError(f"{tree.where}: should be a mapping (`key: value` lines); see: sdstream init")
    lengthen(tree)
    written, duplicates = tree.plain(), tuple(mistakes)
    for override in overrides:
        mistakes += _override(tree, override)
        lengthen(tree)
    found = secrets(tree, schema_paths())
    on_command_line = exposed(found)
    suspicious = suspects(tree, schema_paths())
    mistakes += suspicious
    mistakes += _expand(tree, secrets_environment() if environment is None else environment)
    hide_secrets(found)
    config = None
    try:
        config = Config.model_validate(tree.plain())
        mistakes += [*_obstacles(config, tree), *apart_from_controls(config, tree)]
    except ValidationError as error:
        told = {mistake.path for mistake in suspicious}
        mistakes += [mistake for mistake in explain(error, tree, schema_paths()) if mistake.path not in told]
    return Reading(written, tree, None if mistakes else config, on_command_line, tuple(mistakes), duplicates)


def _obstacles(config: Config, tree: Node) -> list[Mistake]:
    """Return a mistake for each control that the engine or the source of `config` cannot follow."""
    found = obstacles(config.engine, config.source, config.controls)
    return located(tree, [Obstacle(("controls", *obstacle.path), obstacle.reason) for obstacle in found])


def apart_from_controls(config: Config, tree: Node) -> list[Mistake]:
    """Return the mistakes of valid settings: two parts in the same place, and files that are not there."""
    return located(tree, [*clashes(config), *missing_files(config)])


def located(tree: Node, found: Iterable[Obstacle]) -> list[Mistake]:
    """Return obstacles as mistakes with line and column; the paths start at the root of the configuration."""
    return [_mistake(tree, obstacle) for obstacle in found]


def _mistake(tree: Node, obstacle: Obstacle) -> Mistake:
    return Mistake(tree.along(obstacle.path)[-1].key, dotted(obstacle.path), obstacle.reason, obstacle.forbidden)


@cache
def schema_paths() -> SchemaPaths:
    """Return the schema of the configuration, for questions about a path."""
    return SchemaPaths(Config.model_json_schema())


def lines(mistakes: Iterable[Mistake]) -> str:
    """Return mistakes in the order of the file, each on a line; the last line counts the mistakes left out."""
    found = [str(mistake) for mistake in sorted(set(mistakes))]
    more = len(found) - MAX_SHOWN
    return "\n".join([*found[:MAX_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _override(tree: Node, override: str) -> list[Mistake]:
    """Put an override `a.b=c` into the tree; missing mappings are made. A path through a scalar is a mistake."""
    key, equals, text = override.partition("=")
    key = key.strip()
    where = Where(f"--set {key}")
    if not equals or not all(key.split(".")):
        return [Mistake(where, "", "should read key=value, for example --set canvas.fps=60")]
    with contextlib.suppress(UnicodeError):  # in an ASCII locale, Python keeps the bytes of other letters as halves
        text = os.fsencode(text).decode()
    try:
        value, mistakes = parse(text, where.name, option=True)
    except YamlError as error:
        return [error.mistake]
    refusal = tree.put(key.split("."), value or Node(None, where, where))
    return [*mistakes, Mistake(where, "", refusal)] if refusal else mistakes


def _unusable(value: str | None, name: str) -> str:
    """Return why the value of an environment variable is no secret, or ""; a secret of many lines is no key."""
    if not value:
        return f"the environment variable {name} is not set; set it: export {name}=… (or --env-file FILE)"
    if not value.isprintable():
        return f"the environment variable {name} holds a line break or bytes that are no text; set it to the key alone"
    return ""


def _expand(tree: Node, environment: Mapping[str, str]) -> list[Mistake]:
    """Replace ${NAME} in secrets by a variable or a credential, hidden in logs; ${NAME} anywhere else is a mistake."""
    data = tree.plain()
    mistakes = []
    for path, node in tree.leaves():
        names = VARIABLE.findall(node.value) if isinstance(node.value, str) else []
        if names and not schema_paths().is_secret(path, data):
            message = f"${{{names[0]}}}: the environment is read for secrets only; write the value here"
            mistakes.append(Mistake(node.where, dotted(path), message))
        elif names:
            for name in dict.fromkeys(names):
                hide(environment.get(name, ""))
                if message := _unusable(environment.get(name), name):
                    mistakes.append(Mistake(node.where, dotted(path), message))
            node.value = VARIABLE.sub(lambda found: environment.get(found[1]) or found[0], str(node.value))
    return mistakes
