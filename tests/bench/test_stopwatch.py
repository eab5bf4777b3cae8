"""Comparisons on a machine that is busy at times, and energy where there is no meter."""

import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from sdstream.bench.engine.energy import Energy
from sdstream.bench.engine.stopwatch import Laps, in_turn

CPU = torch.device("cpu")


class Noted:
    """Writes its name down at every call."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name = name
        self._notes = notes

    def warm_up(self) -> None:
        self._notes.append(f"{self._name} warm")

    def prepare(self) -> None:
        self._notes.append(f"{self._name} ready")

    def __call__(self) -> None:
        self._notes.append(self._name)


def test_variants_take_turns_call_by_call_there_and_back():
    notes: list[str] = []
    laps = in_turn({name: Noted(name, notes) for name in "ab"}, CPU, laps=4, limit=60)
    assert notes[:4] == ["a ready", "a warm", "b ready", "b warm"]
    assert notes[5::2] == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert [len(laps.taken[name]) for name in "ab"] == [4, 4]


def test_slow_variants_end_early_but_not_before_the_third_lap():
    laps = in_turn({"a": Noted("a", [])}, CPU, laps=1000, limit=0)
    assert len(laps.taken["a"]) == 3


@given(st.lists(st.floats(1, 50), min_size=9, max_size=9), st.floats(1, 4))
def test_a_machine_that_is_busy_now_and_then_does_not_change_the_ratio(busy, ratio):
    laps = Laps({"a": [ratio * slow for slow in busy], "b": busy})
    assert laps.ratio("a", "b") == pytest.approx(ratio)


def keep_the_processor_busy(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_without_a_gpu_energy_is_the_processors_seconds():
    with Energy(CPU) as energy:
        keep_the_processor_busy(0.02)
    assert energy.unit == "cpu_seconds"
    assert energy.used >= 0.02


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_whose_energy_cannot_be_read_is_said_and_ends_nothing():
    with capture_logs() as told, Energy(torch.device("cuda")) as energy:
        pass
    assert (energy.unit, energy.used) == ("joules", None)
    assert ["NVML" in line["reason"] for line in told] == [True]
