"""Learners on disk: one JSON file each, replaced atomically: a crash leaves the old memory or the new."""

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

    Without `durable` the disk is not waited for: for saving on air. After a power cut `load` may then refuse it.
    """
    document = json.dumps({"version": VERSION, "kind": kind, "state": state}, allow_nan=False)
    write_atomically(path, document.encode(), durable=durable)


def load(path: Path, kind: str) -> State:
    """Return the state saved at `path`. Raises FileNotFoundError, and ConfigError if it is not a `kind`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: not a learner's state ({error}); delete it to start afresh") from error
    if not isinstance(document, dict) or (document.get("version"), document.get("kind")) != (VERSION, kind):
        raise ConfigError(f"{path}: expected version {VERSION} of {kind!r}; delete it to start afresh")
    state = document.get("state")
    if not isinstance(state, dict):
        raise ConfigError(f"{path}: holds no state; delete it to start afresh")
    return state


def array(state: State, key: str, like: np.ndarray) -> np.ndarray:
    """Return the finite array `key`, of the shape and type of `like`. Raises ConfigError."""
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
    """Return the generator's position as JSON values (`Any`: numpy types it so)."""
    return dict(rng.bit_generator.state)


def restore_generator(rng: np.random.Generator, state: State) -> None:
    """Put `rng` where `state["rng"]` says. Raises ConfigError."""
    try:
        rng.bit_generator.state = dict(state["rng"])  # type: ignore[call-overload]  # checked by numpy
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError("learner state: 'rng' is not the position of this random generator") from error
