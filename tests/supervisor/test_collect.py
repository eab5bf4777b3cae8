from collections.abc import Iterator

import pytest

from sdstream.config.schema import Config
from sdstream.log import LogChoice
from sdstream.supervisor import collect
from sdstream.supervisor.report import SinkReport
from sdstream.supervisor.wiring import Wiring


@pytest.fixture
def wiring() -> Iterator[Wiring]:
    parts = {"source": {"kind": "testsrc"}, "engine": {"kind": "passthrough"}, "sinks": [{"kind": "discard"}]}
    config = Config.model_validate({"version": 1, "canvas": {"width": 64, "height": 48, "fps": 30}, **parts})
    made = Wiring(config, LogChoice(), 0.0)
    yield made
    made.close()


def sink(wiring: Wiring, first: int, last: int, seconds: float) -> SinkReport:
    counters = wiring.sinks[0].stage.context.counters
    counters.set("first", first)
    counters.set("last", last)
    counters.set("sent", last - first + 1 if first else 0)
    counters.set("live", counters.get("sent"))
    return collect.take(wiring, seconds).sinks[0]


def test_a_sink_that_is_away_owes_what_falls_due_meanwhile(wiring: Wiring) -> None:
    away = sink(wiring, first=1, last=30, seconds=10.0)
    assert (away.due, away.sent, away.showing) == (301, 30, "away")


@pytest.mark.parametrize("behind", [0, 1, 7])
def test_a_sink_that_catches_up_owes_nothing_yet(wiring: Wiring, behind: int) -> None:
    behind_by_little = sink(wiring, first=11, last=301 - behind, seconds=10.0)
    assert (behind_by_little.share, behind_by_little.showing) == (1.0, "live")


def test_before_its_first_picture_a_sink_owes_nothing(wiring: Wiring) -> None:
    assert sink(wiring, first=0, last=0, seconds=10.0).due == 0
