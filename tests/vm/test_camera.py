"""The virtual camera in a virtual machine with a real v4l2loopback device."""

import json

import pytest

from tests.vm import machine

pytestmark = [pytest.mark.vm, pytest.mark.timeout(800)]


@pytest.fixture(scope="module", params=["0.12.7", "0.15.0"])
def version(request):
    return request.param


@pytest.fixture(scope="module")
def facts(version, tmp_path_factory):
    """What the guest found out about our sink on this version of v4l2loopback."""
    if reason := machine.missing():
        pytest.skip(reason)
    try:
        folder = machine.build(version)
    except machine.NoMachineError as reason:
        pytest.skip(str(reason))
    out = tmp_path_factory.mktemp("vm")
    machine.run(folder, out, "tests.vm.guest", "/vm/facts.json")
    return json.loads((out / "facts.json").read_text())


def test_a_reader_gets_our_bytes_untouched(facts):
    scene = facts["byte_exact"]
    assert (scene["size"], scene["format"]) == ([320, 240], "yuv420p")
    assert scene["known"] == [True] * 8
    assert scene["distinct"] == 8


def test_a_black_picture_is_there_as_soon_as_the_camera_is_open(facts):
    assert facts["byte_exact"]["capture"]
    assert facts["byte_exact"]["first_is_black"]


def test_readers_are_told_the_rate_of_the_canvas(facts):
    assert facts["byte_exact"]["rate"] == 20


def test_the_device_is_free_for_everybody_after_closing(facts):
    assert facts["after_close"]["output"]
    assert facts["after_close"]["again"] == ""


def test_a_device_that_another_program_left_unusable_is_healed(facts, version):
    assert facts["after_another_program"]["output"] == (version != "0.12.7")  # the wedge is real there
    assert facts["after_another_program"]["ours"] == ""


def test_a_writer_that_was_killed_leaves_the_device_to_the_next(facts):
    assert not facts["after_a_kill"]["held"]
    assert facts["after_a_kill"]["again"] == ""


@pytest.mark.parametrize("way", ["by_label", "by_path", "none_free"])
def test_the_holder_of_a_taken_device_is_named_with_what_to_do(facts, way):
    message = facts["fight"][way]
    assert message.startswith("Unavailable")
    assert f"/dev/video10 is held by python (pid {facts['fight']['pid']})" in message
    assert "load the module with devices=2 and start sdstream first" in message


def test_without_a_name_the_first_free_device_is_taken(facts):
    assert facts["fight"]["free"] == "/dev/video11"


def test_the_list_of_sinks_tells_label_and_holder(facts):
    first, second = facts["fight"]["listed"]
    assert (first["label"], first["address"]) == ("sdstream", "/dev/video10")
    assert first["state"] == f"held by python (pid {facts['fight']['pid']})"
    assert second["state"].startswith("held by")  # our own sink writes to it


def test_a_reader_goes_on_when_the_sink_restarts_under_it(facts):
    scene = facts["restart_under_a_reader"]
    assert (scene["before"], scene["after"], scene["error"]) == (4, 12, None)


def test_a_size_that_a_reader_does_not_expect_is_refused_and_the_reader_named(facts):
    scene = facts["another_size_under_a_reader"]
    assert "set to 320x240 YU12 instead of 160x120 YU12" in scene["refused"]
    assert f"close the reader: python (pid {scene['pid']})" in scene["refused"]
    assert scene["again"] == ""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("label", 'Unavailable: no virtual camera is labelled "nobody": there is "sdstream" (/dev/video10), "second"'),
        ("path", "Unavailable: there is no device /dev/video77; `sdstream sinks` lists the virtual cameras"),
        ("no_camera", "Unavailable: /dev/null is no video device"),
        ("too_large", "Unavailable: /dev/video10 was set to 800x600 YU12 instead of 1024x768 YU12"),
        (
            "forbidden",
            "Forbidden: no right to use /dev/video10; expected a user in the group of the device: sudo usermod",
        ),
    ],
)
def test_a_device_that_cannot_be_opened_is_refused_in_one_line_with_what_to_do(facts, what, said):
    assert facts["refusals"][what].startswith(said)


def test_a_refused_size_does_not_spoil_the_device(facts):
    assert facts["refusals"]["after_too_large"] == ""
