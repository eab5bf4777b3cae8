"""The daemon sends to a real v4l2loopback device in a virtual machine."""

import json

import pytest

from tests.vm import machine

pytestmark = [pytest.mark.vm, pytest.mark.timeout(800)]


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """What the guest saw of `sdstream run` with a virtual camera, on the older module, which distributions carry."""
    if reason := machine.missing():
        pytest.skip(reason)
    try:
        folder = machine.build("0.12.7")
    except machine.NoMachineError as reason:
        pytest.skip(str(reason))
    out = tmp_path_factory.mktemp("vm")
    machine.run(folder, out, "tests.vm.guest_daemon", "/vm")
    return json.loads((out / "facts.json").read_text())


def test_a_reader_is_told_size_format_and_rate_of_the_canvas(facts):
    read = facts["read"]
    assert (read["size"], read["format"], read["rate"]) == ([160, 120], "yuv420p", 10)


def test_every_picture_of_the_source_arrives_without_a_wrong_byte(facts):
    assert facts["read"]["exact"] == [True] * 40


def test_pictures_arrive_in_order_and_at_the_rate_of_the_canvas(facts):
    numbers = facts["read"]["numbers"]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 30
    assert facts["read"]["measured"] == pytest.approx(10, rel=0.15)  # on an emulated processor


def test_the_report_has_a_picture_for_each_that_was_due(facts):
    (sink,) = facts["report"]["sinks"]
    assert 40 <= sink["sent"] == sink["due"]


def test_sigterm_ends_the_daemon_cleanly_and_frees_the_camera(facts):
    assert facts["held"]
    assert (facts["status"], facts["free"], facts["again"]) == (0, True, "")
