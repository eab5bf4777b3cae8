"""Learners on disk, one JSON file each. Files are replaced atomically: a crash leaves the old or the new state."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sdstream.errors import ConfigError
from sdstream.relax.learner import State
from sdstream.system.atomic_file import write_atomically

VERSION = 1


def save(path: Path, kind: str, state: State, *, durable: bool = True) -> None:
    """Replace the file at `path` by `state`. Raises OSError.

    Without `durable` the call does not wait for the disk, for saving on air. After a power cut `load` may then refuse
    the file.
    """
    document = json.dumps({"version": VERSION, "kind": kind, "state": state}, allow_nan=False)
    write_atomically(path, document.encode(), durable=durable)


def load(path: Path, kind: str) -> State:
    """Return the state saved at `path`. Raises FileNotFoundError, and ConfigError for a file without a `kind` state."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: not a learner's state ({error}); delete the file to start afresh") from error
    if not isinstance(document, dict) or (document.get("version"), document.get("kind")) != (VERSION, kind):
        raise ConfigError(f"{path}: expected version {VERSION} of {kind!r}; delete the file to start afresh")
    state = document.get("state")
    if not isinstance(state, dict):
        raise ConfigError(f"{path}: no learner's state inside; delete the file to start afresh")
    return state


def array(state: State, key: str, like: np.ndarray) -> np.ndarray:
    """Return the finite array `key`, with the shape and dtype of `like`. Raises ConfigError."""
    try:
        value = np.asarray(state[key], dtype=like.dtype)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"learner state: {key!r} is missing or not numeric") from error
    if value.shape != like.shape or not np.isfinite(value).all():
        raise ConfigError(f"learner state: {key!r} must be finite with shape {like.shape}, got {value.shape}")
    return value


def number(state: State, key: str) -> float:
    """Return the finite number `key`. Raises ConfigError."""
    return float(array(state, key, np.zeros(())))


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """Return the generator's position as JSON values (`Any`: the type that numpy declares)."""
    return dict(rng.bit_generator.state)


def restore_generator(rng: np.random.Generator, state: State) -> None:
    """Set the position of `rng` to `state["rng"]`. Raises ConfigError."""
    try:
        rng.bit_generator.state = dict(state["rng"])  # type: ignore[call-overload]  # checked by numpy
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError("learner state: 'rng' is not the position of this random generator") from error
