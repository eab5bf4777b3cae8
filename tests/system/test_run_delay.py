"""The scheduler's account of a thread."""

import sys
import time

import pytest

from sdstream.system.run_delay import RunDelay


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this account")
def test_a_thread_that_waits_for_nothing_but_a_processor_has_its_time_in_the_account():
    delay = RunDelay()
    before, began, computed = delay.seconds(), time.monotonic(), time.thread_time()
    while time.monotonic() - began < 0.5:
        pass
    lost = time.monotonic() - began - (time.thread_time() - computed)
    assert delay.seconds() - before == pytest.approx(lost, abs=0.1)
    time.sleep(0.3)
    assert delay.seconds() - before == pytest.approx(lost, abs=0.2)
    delay.close()


def test_where_nobody_counts_the_account_is_empty(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.open", lambda *_: (_ for _ in ()).throw(FileNotFoundError))
    delay = RunDelay()
    assert delay.seconds() == 0
    delay.close()
    delay.close()
