"""The state of loading is told by the signs of life and the phase together."""

import pytest

from sdstream.ipc.context import Context
from sdstream.ipc.loading import COUNTERS, LOADED, Loading, Phase, loading, tell_loading


def test_a_process_that_has_not_begun_is_starting_whatever_the_last_process_said():
    context = Context.alone(*COUNTERS)
    tell_loading(context.counters, Phase.COMPILING, 3, 6)
    assert loading(context.counters) == Loading("starting")


def test_a_process_that_has_begun_is_in_its_phase():
    context = Context.alone(*COUNTERS)
    context.begun()
    tell_loading(context.counters, Phase.COMPILING, 3, 6)
    assert loading(context.counters) == Loading("compiling", 3, 6)
    assert not loading(context.counters).over


def test_a_process_that_is_ready_is_loaded():
    context = Context.alone(*COUNTERS)
    context.begun()
    tell_loading(context.counters, Phase.FIRST_PICTURE)
    context.ready()
    assert loading(context.counters) == LOADED
    assert LOADED.over


@pytest.mark.parametrize(
    ("state", "text"),
    [(Loading("compiling", 3, 6), "compiling 3 of 6"), (Loading("loading weights"), "loading weights")],
)
def test_a_state_reads_as_words(state: Loading, text: str):
    assert state.text == text
