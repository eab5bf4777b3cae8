"""A name resolved to a machine stays with the machine; times of picture and sound come from the same clock."""

import json
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from sdstream.config.sources import NdiSourceSettings
from sdstream.sources.ndi import PresentationTimes
from sdstream.sources.ndi_finder import NameLock, NdiName, use_discovery_server

ALPHA, ZULU = NdiName("ALPHA (cam)", "10.0.1.2:5961"), NdiName("ZULU (cam)", "10.0.2.2:5961")


def lock(wanted, *senders, now=0.0):
    made = NameLock(wanted)
    assert made.resolve(senders, now)
    return made


def test_a_short_name_stays_with_its_machine_while_another_of_the_name_comes():
    kept = lock("cam", ZULU)
    assert kept.resolve([ALPHA, ZULU], 1.0) == ZULU.url
    assert kept.resolve([ALPHA], 5.0) == ""
    assert kept.resolve([ALPHA, ZULU], 8.0) == ZULU.url


def test_another_machine_is_taken_only_when_the_first_is_gone_and_the_log_tells():
    kept = lock("cam", ZULU)
    with capture_logs() as logs:
        assert kept.resolve([ALPHA], 9.9) == ""
        assert kept.resolve([ALPHA], 10.1) == ALPHA.url
    assert logs[-1]["gone"] == ZULU.name
    assert logs[-1]["now"] == ALPHA.name


def test_a_sender_that_still_sends_is_not_gone_when_the_list_lacks_its_name():
    kept = lock("cam", ZULU)
    kept.picture_came(60.0)
    assert kept.resolve([ALPHA], 65.0) == ""


def test_a_restarted_sender_is_found_at_its_new_port():
    kept = lock("cam", ZULU)
    assert kept.resolve([ALPHA, NdiName("ZULU (cam)", "10.0.2.2:5962")], 1.0) == "10.0.2.2:5962"


def test_a_full_name_never_moves():
    kept = lock("ZULU (cam)", ZULU)
    assert kept.resolve([ALPHA, NdiName("OTHER (ZULU (cam))", "x:1")], 1_000.0) == ""


@pytest.mark.parametrize("wanted", ["cam", "ALPHA (cam)"])
def test_the_first_of_several_is_taken_and_told(wanted):
    with capture_logs() as logs:
        lock(wanted, ALPHA, ZULU)
    assert [entry.get("others") for entry in logs] == ([[ZULU.name]] if wanted == "cam" else [])


def test_a_missing_name_is_told_once():
    waiting = NameLock("nobody")
    with capture_logs() as logs:
        assert [waiting.resolve([ALPHA], second) for second in (1.0, 2.0, 30.0)] == [""] * 3
    assert [entry["seen"] for entry in logs] == [[ALPHA.name]]


NOW, LATER = 17_000_000_000_000_000, 17_000_000_020_000_000


def frame(timecode):
    return SimpleNamespace(timestamp=NOW, timecode=timecode)


@pytest.mark.parametrize(
    ("picture", "sound", "coded"),
    [(LATER, LATER, True), (LATER, 0, False), (0, LATER, False), (0, 0, False), (36_000_000_000, LATER, False)],
)
def test_timecodes_count_only_if_both_tracks_have_a_time_of_day(picture, sound, coded):
    times = PresentationTimes()
    times.of("picture", frame(picture))
    times.of("sound", frame(sound))
    told = times.of("picture", frame(picture)), times.of("sound", frame(sound))
    assert told == pytest.approx([(LATER if coded else NOW) / 1e7] * 2)


def test_a_discovery_server_is_added_to_the_users_own_settings(tmp_path, monkeypatch):
    own, made = tmp_path / "own", tmp_path / "made"
    own.mkdir()
    made.mkdir()
    (own / "ndi-config.v1.json").write_text(
        json.dumps({"ndi": {"groups": {"recv": "a"}, "networks": {"ips": "1.2.3.4"}}})
    )
    monkeypatch.setenv("NDI_CONFIG_DIR", str(own))
    use_discovery_server(NdiSourceSettings(kind="ndi", name="cam", discovery_server="10.0.0.5"), made)
    written = json.loads((made / "ndi-config.v1.json").read_text())["ndi"]
    assert written == {"groups": {"recv": "a"}, "networks": {"ips": "1.2.3.4", "discovery": "10.0.0.5"}}
