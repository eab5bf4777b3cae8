"""Tiny random models, made once a run."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.tiny_model_fixtures import one_thread, tiny_model

if TYPE_CHECKING:
    from tests.engine.pixel_engine import Clock, PixelEngine

__all__ = ["clock", "engine", "one_thread", "tiny_model", "tiny_v_model", "tiny_xl_model"]

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that asks the hub is wrong, and must fail at once


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
    from tests.engine.pixel_engine import Clock

    return Clock()


@pytest.fixture
def engine(tiny_model: Path, clock: "Clock") -> "Iterator[PixelEngine]":
    from tests.engine.pixel_engine import PixelEngine, settings

    with PixelEngine(settings(tiny_model), clock) as opened:
        yield opened


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold every compilation in a thread until the event is set."""
    from sdstream.engine.openvino.graph import Graph

    opened = threading.Event()
    compile_one = Graph._compile

    def compile_later(graph: Graph, rows: int) -> object:
        if threading.current_thread() is not threading.main_thread():
            assert opened.wait(60)
        return compile_one(graph, rows)

    monkeypatch.setattr(Graph, "_compile", compile_later)
    yield opened
    opened.set()
