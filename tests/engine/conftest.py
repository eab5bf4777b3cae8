"""Tiny random models, made once a run."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.playing import Clock, PixelEngine


os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that asks the hub is wrong, and must fail at once


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """Run the tiny models on one thread: a second one has nothing to do but wait, for long on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.engine.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_v_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.engine.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny_v", prediction="v_prediction")


@pytest.fixture(scope="session")
def tiny_xl_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.engine.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny_xl", xl=True)


@pytest.fixture
def clock() -> "Clock":
    from tests.engine.playing import Clock

    return Clock()


@pytest.fixture
def engine(tiny_model: Path, clock: "Clock") -> "Iterator[PixelEngine]":
    from tests.engine.playing import PixelEngine, settings

    with PixelEngine(settings(tiny_model), clock) as opened:
        yield opened
