"""Reads a file and the command line's overrides into settings; reports all mistakes at once, as file:line:column."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from sdstream.config.abilities import Obstacle, obstacles
from sdstream.config.mistakes.clashes import clashes
from sdstream.config.mistakes.explain import dotted, explain
from sdstream.config.mistakes.missing import missing_files
from sdstream.config.mistakes.suspects import suspects
from sdstream.config.schema import Config
from sdstream.config.schema_paths import SchemaPaths
from sdstream.config.secrets import hide_secrets
from sdstream.config.short_forms import lengthen
from sdstream.config.yaml_tree import MAX_BYTES, Mistake, Node, Plain, Where, YamlError, parse
from sdstream.errors import ConfigError
from sdstream.redact import hide

MAX_SHOWN = 100
"""Most mistakes printed; a file with more needs a rewrite, and a longer list would not help."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Reading:
    """The content of a file: the values with positions, and all mistakes."""

    written: Plain
    """The file's own values, without overrides."""
    tree: Node = field(repr=False)
    """The values with overrides and secrets."""
    config: Config | None
    """The settings; None when there are mistakes."""
    mistakes: tuple[Mistake, ...]
    duplicates: tuple[Mistake, ...]
    """The keys given twice; `mistakes` holds these as well."""


def load(path: Path, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration at `path`, with `a.b=c` overrides on top and secrets from the environment.

    Raise ConfigError with every mistake, each on a line.
    """
    return _config(read(path, overrides, environment))


def loads(text: str, name: str, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Config:
    """Read a configuration from text, as `load` does from a file; `name` stands for the file in the mistakes."""
    return _config(_read(text, name, overrides, environment))


def read(path: Path, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Reading:
    """Read the configuration at `path`, and collect the mistakes. Raise ConfigError for a file without a mapping."""
    return _read(_text(path), str(path), overrides, environment)


def _config(reading: Reading) -> Config:
    if reading.config is None:
        raise ConfigError(lines(reading.mistakes))
    hide_secrets(reading.config)
    return reading.config


def _read(text: str, name: str, overrides: Sequence[str], environment: Mapping[str, str] | None) -> Reading:
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
    suspicious = suspects(tree, schema_paths())
    mistakes += suspicious
    mistakes += _expand(tree, os.environ if environment is None else environment)
    config = None
    try:
        config = Config.model_validate(tree.plain())
        mistakes += [*_obstacles(config, tree), *apart_from_controls(config, tree)]
    except ValidationError as error:
        told = {mistake.path for mistake in suspicious}
        mistakes += [mistake for mistake in explain(error, tree, schema_paths()) if mistake.path not in told]
    return Reading(written, tree, None if mistakes else config, tuple(mistakes), duplicates)


def _obstacles(config: Config, tree: Node) -> list[Mistake]:
    """Return a mistake for each control that the engine of `config` cannot follow."""
    return [
        _mistake(tree, Obstacle(("controls", *obstacle.path), obstacle.reason))
        for obstacle in obstacles(config.engine, config.controls)
    ]


def apart_from_controls(config: Config, tree: Node) -> list[Mistake]:
    """Return the mistakes of valid settings: two parts in the same place, and files that are not there."""
    return [_mistake(tree, obstacle) for obstacle in [*clashes(config), *missing_files(config)]]


def _mistake(tree: Node, obstacle: Obstacle) -> Mistake:
    return Mistake(tree.along(obstacle.path)[-1].key, dotted(obstacle.path), obstacle.reason)


@cache
def schema_paths() -> SchemaPaths:
    """Return the schema of the configuration, for questions about a path."""
    return SchemaPaths(Config.model_json_schema())


def lines(mistakes: Iterable[Mistake]) -> str:
    """Return mistakes in the order of the file, each on a line; the last line counts the mistakes left out."""
    found = [str(mistake) for mistake in sorted(set(mistakes))]
    more = len(found) - MAX_SHOWN
    return "\n".join([*found[:MAX_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; write a new file with: sdstream init {path}") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path}: is a directory; name a YAML file inside") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} kB; a configuration is smaller: name another file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        where = Where(str(path), before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise ConfigError(f"{where}: not UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8") from error


def _override(tree: Node, override: str) -> list[Mistake]:
    """Put an override `a.b=c` into the tree; missing mappings are made. A path through a scalar is a mistake."""
    key, equals, text = override.partition("=")
    key = key.strip()
    where = Where(f"--set {key}")
    if not equals or not all(key.split(".")):
        return [Mistake(where, "", "should read key=value, for example --set canvas.fps=60")]
    try:
        value, mistakes = parse(text, where.name, option=True)
    except YamlError as error:
        return [error.mistake]
    refusal = tree.put(key.split("."), value or Node(None, where, where))
    return [*mistakes, Mistake(where, "", refusal)] if refusal else mistakes


def _expand(tree: Node, environment: Mapping[str, str]) -> list[Mistake]:
    """Replace ${NAME} in secrets by the environment's value, hidden in logs; ${NAME} anywhere else is a mistake."""
    data = tree.plain()
    mistakes = []

    def visit(node: Node, path: tuple[str | int, ...]) -> None:
        if isinstance(node.value, dict):
            for key, child in node.value.items():
                visit(child, (*path, key))
        elif isinstance(node.value, list):
            for index, child in enumerate(node.value):
                visit(child, (*path, index))
        elif isinstance(node.value, str) and (names := _VARIABLE.findall(node.value)):
            if not schema_paths().is_secret(path, data):
                message = f"${{{names[0]}}}: the environment is read for secrets only; write the value here"
                mistakes.append(Mistake(node.where, dotted(path), message))
                return
            for name in dict.fromkeys(names):
                hide(environment.get(name, ""))
                if not environment.get(name):
                    message = f"the environment variable {name} is not set; set it: export {name}=…"
                    mistakes.append(Mistake(node.where, dotted(path), message))
            node.value = _VARIABLE.sub(lambda found: environment.get(found[1]) or found[0], node.value)

    visit(tree, ())
    return mistakes
