"""The restart policy: wait, try again, leave a sink out, or end the run."""

from dataclasses import replace

import pytest

from sdstream.errors import Bug, ConfigError, Forbidden, Lost, Unavailable
from sdstream.supervisor.failure import Ending, Failure
from sdstream.supervisor.restart_policy import TRIES, Action, Decision, Facts, Role, decide

CRASH = Failure("test", Ending.CRASH, "process ended with SIGSEGV", 70, was_ready=False)
HANG = Failure("test", Ending.HANG, "no sign of life for 20.0 s", 70, was_ready=False)


def error(kind) -> Failure:
    return Failure("test", Ending.ERROR, "it cannot be had", kind.exit_code, was_ready=False)


def facts(failure: Failure, role: Role = Role.SOURCE, **more) -> Facts:
    return Facts(failure, role, **{"proven": False, "tries": 0, "optional": False, "other_sinks": 0, **more})


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("failure", [CRASH, HANG, error(Lost), error(Unavailable), error(ConfigError), error(Bug)])
def test_a_stage_that_was_ready_once_is_restarted_after_any_failure(role: Role, failure: Failure) -> None:
    forever = Decision(Action.RESTART, 2)
    assert decide(facts(failure, role, proven=True, tries=2)) == forever
    assert decide(facts(replace(failure, was_ready=True), role, tries=2)) == forever


@pytest.mark.parametrize("role", Role)
def test_a_server_that_is_not_there_yet_is_waited_for_without_a_counted_try(role: Role) -> None:
    assert decide(facts(error(Lost), role, tries=TRIES)) == Decision(Action.RESTART, TRIES)


@pytest.mark.parametrize(
    ("role", "decision"),
    [
        (Role.SOURCE, Decision(Action.RESTART, 2)),
        (Role.RTMP_SERVER, Decision(Action.RESTART, 2)),
        (Role.SINK, Decision(Action.RESTART, 2)),
        (Role.ENGINE, Decision(Action.END, 3, 70, HANG.message)),
    ],
)
def test_only_an_engine_that_hangs_is_not_taken_for_waiting_on_a_server(role: Role, decision: Decision) -> None:
    assert decide(facts(HANG, role, tries=2)) == decision


@pytest.mark.parametrize(
    ("tries", "decision"),
    [
        (0, Decision(Action.RESTART, 1)),
        (1, Decision(Action.RESTART, 2)),
        (2, Decision(Action.END, 3, 70, CRASH.message)),
    ],
)
def test_a_stage_that_was_never_ready_has_three_tries(tries: int, decision: Decision) -> None:
    assert decide(facts(CRASH, tries=tries)) == decision


@pytest.mark.parametrize("kind", [Unavailable, Forbidden, ConfigError])
def test_a_failure_beyond_repair_ends_the_run_at_once_with_its_exit_status(kind) -> None:
    assert decide(facts(error(kind))) == Decision(Action.END, 1, kind.exit_code, "it cannot be had")


@pytest.mark.parametrize(
    ("role", "optional", "other_sinks", "action"),
    [
        (Role.SINK, True, 1, Action.LEAVE_OUT),
        (Role.SINK, True, 0, Action.END),
        (Role.SINK, False, 1, Action.END),
        (Role.SOURCE, False, 2, Action.END),
        (Role.ENGINE, False, 2, Action.END),
        (Role.RTMP_SERVER, False, 2, Action.END),
    ],
)
def test_an_optional_sink_is_left_out_if_another_sink_stays(role, optional, other_sinks, action) -> None:
    final = decide(facts(error(Unavailable), role, optional=optional, other_sinks=other_sinks))
    crashed = decide(facts(CRASH, role, tries=TRIES - 1, optional=optional, other_sinks=other_sinks))
    assert (final.action, crashed.action) == (action, action)
