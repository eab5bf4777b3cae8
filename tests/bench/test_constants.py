"""The measurements that justify the constants: similarity, the stabiliser's trust, and sound."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from sdstream.audio import lag as audio_lag
from sdstream.bench.constants import arrival, cut, footage, lag, shots, untrusted
from sdstream.bench.constants.footage import SIDE, ClipPicture
from sdstream.bench.constants.replay import Heard, Pattern, replay
from sdstream.bench.flicker.synthetic import Scene
from sdstream.cli import bench_constants
from sdstream.engine.similarity import reduce
from sdstream.errors import Unavailable
from sdstream.stabilise.fusion import fusion_system
from sdstream.stabilise.weights import weights

CUT_AT = 12


def two_shots(count: int = 20) -> list[ClipPicture]:
    """Return pictures of one scene, and from CUT_AT on of another."""
    scenes = Scene(SIDE, 0), Scene(SIDE, 5)
    return [ClipPicture(scenes[t >= CUT_AT].frame(t), cut=t == CUT_AT) for t in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one clip of two shots."""
    writer = cv2.VideoWriter(str(tmp_path / "two.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (320, SIDE))
    for picture in two_shots():
        wide = cv2.copyMakeBorder(picture.pixels, 0, 0, 32, 32, cv2.BORDER_REFLECT)
        writer.write(cv2.cvtColor(wide, cv2.COLOR_RGB2BGR))
    writer.release()
    return tmp_path


def test_footage_is_square_and_tells_where_a_shot_begins(folder: Path) -> None:
    shown = [picture for clip in footage.clips(folder) for picture in footage.pictures(clip, 100)]
    assert {picture.pixels.shape for picture in shown} == {(SIDE, SIDE, 3)}
    assert [number for number, picture in enumerate(shown) if picture.cut] == [CUT_AT]


def test_footage_is_limited_and_what_cannot_be_read_is_named(folder: Path) -> None:
    assert len(list(footage.pictures(folder / "two.avi", 5))) == 5
    (folder / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(Unavailable, match=r"broken\.mp4"):
        list(footage.pictures(folder / "broken.mp4", 5))


def test_a_folder_without_clips_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no video files"):
        footage.clips(tmp_path)


def test_similarity_is_measured_within_shots_and_never_across_a_cut() -> None:
    picture = np.full((SIDE, SIDE, 3), 200, np.uint8)
    shown = (
        [ClipPicture(picture, cut=False)] * 8
        + [ClipPicture(255 - picture, cut=True)]
        + [ClipPicture(255 - picture, cut=False)] * 7
    )
    assert cut.within_shots(shown) == pytest.approx([1.0] * 4)
    assert cut.between([[reduce(picture)], [reduce(255 - picture)]]) == pytest.approx([-1.0])


@pytest.mark.parametrize(("within", "between", "holds"), [(0.9, 0.3, True), (0.5, 0.3, False), (0.9, 0.7, False)])
def test_the_similarity_of_a_cut_lies_between_both_measurements(within: float, between: float, holds: bool) -> None:
    assert cut.finding({"clip": [0.99, within]}, [between] * 20).holds is holds


def test_a_wild_clip_among_four_is_excused() -> None:
    assert footage.most([True, True, True, False])
    assert not footage.most([True, True, False, False])


def test_trust_falls_at_a_cut_and_nowhere_else() -> None:
    seen = shots.measure_clip(two_shots())
    assert [one.taken_for_a_cut for one in seen] == [one.cut for one in seen]
    trust, drop = shots.findings({"clip": seen})
    assert (trust.constant, trust.holds) == ("cuts.CUT_TRUST", True)
    assert (drop.measured["cuts"], drop.measured["found"], drop.holds) == (1, 1, True)


def test_cuts_that_are_missed_and_motion_that_is_taken_for_cuts_break_the_law() -> None:
    calm = [shots.PictureMotion(0.9, 0.0, cut=False)] * 9
    missed = shots.findings({"clip": [*calm, shots.PictureMotion(0.8, 0.1, cut=True)]})
    wild = shots.findings({"clip": [*calm, *[shots.PictureMotion(0.1, 0.8, cut=False)] * 2]})
    assert [one.holds for one in missed] == [True, False]
    assert [one.holds for one in wild] == [False, False]


def test_the_best_share_is_smaller_where_half_of_the_picture_is_not_trusted() -> None:
    difference = np.random.default_rng(0).normal(0, 20, (3, 64, 64)).astype(np.float32)
    trust = np.ones((64, 64), np.float32)
    half = np.where(np.arange(64) < 32, trust, np.float32(0.0))
    difference += 40.0
    whole, partial = (untrusted.best_share(fusion_system(difference, m, weights(0.8, 256))) for m in (trust, half))
    assert partial < whole


def test_fusions_begin_anew_at_a_cut() -> None:
    shown = [picture.pixels for picture in two_shots()]
    assert len(list(untrusted.fusions(shown, 0.8))) == len(shown) - 2


@pytest.mark.parametrize(("shares", "holds"), [((0.3, 0.5, 0.8), True), ((0.7, 0.8, 0.9), False)])
def test_the_untrusted_share_lies_among_the_best_shares(shares: tuple[float, ...], holds: bool) -> None:
    assert untrusted.finding({str(share): share for share in shares}).holds is holds


def test_sound_is_complete_when_it_reaches_the_next_picture() -> None:
    wait = arrival.SoundWait()
    wait.picture_arrived(10.0, arrived=50.0)
    wait.sound_arrived(50.01, end=10.02)
    assert wait.complete_after == []
    wait.sound_arrived(50.03, end=10.04)
    assert wait.complete_after == pytest.approx([0.03])


@pytest.mark.parametrize(("after", "holds"), [(0.03, True), (0.08, False)])
def test_sound_must_be_complete_within_the_time_that_it_is_stamped_early(after: float, holds: bool) -> None:
    assert arrival.finding([after] * 20).holds is holds


def test_even_arrivals_are_heard_without_silence_and_with_their_pictures() -> None:
    heard = replay(Pattern("even"), 6.0)
    assert heard.silent == 0.0
    assert heard.off < 0.02
    assert heard.start < 1.0


def test_sound_that_follows_another_latency_is_moved() -> None:
    steady, changing = (replay(Pattern("rung", latency=latency), 16.0) for latency in ((0.3,), (0.3, 0.38)))
    assert changing.moved > steady.moved + 5.0


def test_a_network_that_stands_still_is_heard_as_silence() -> None:
    assert replay(Pattern("stalls", stall=1.5), 12.0).silent > 3.0


def test_sound_without_pictures_starts_later() -> None:
    assert replay(Pattern("alone", picture_fps=0.0), 4.0).start > replay(Pattern("even"), 4.0).start


def test_a_constant_is_its_own_again_after_a_trial() -> None:
    usual = audio_lag.SETTLE
    with lag.constant("SETTLE", 2.0):
        assert replay(Pattern("even"), 4.0).start > 2.0
    assert usual == audio_lag.SETTLE


@pytest.mark.parametrize("name", lag.VARIANTS)
def test_a_constant_stands_between_the_values_of_its_trials(name: str) -> None:
    low, high = lag.VARIANTS[name]
    assert low < getattr(audio_lag, name) < high


def test_every_constant_of_the_lag_is_tried() -> None:
    constants = {name for name, value in vars(audio_lag).items() if name.isupper() and isinstance(value, int | float)}
    assert constants == set(lag.VARIANTS)


@pytest.mark.parametrize(
    ("other", "holds"),
    [
        (Heard(1.0, 0.02, 0.5, 3.0), True),
        (Heard(0.5, 0.02, 0.5, 3.0), False),
        (Heard(0.5, 0.03, 0.5, 3.0), True),
        (Heard(1.0, 0.02, 0.2, 3.0), False),
    ],
)
def test_a_constant_holds_unless_another_value_is_better_and_in_nothing_worse(other: Heard, holds: bool) -> None:
    usual = Heard(1.0, 0.02, 0.5, 3.0)
    assert lag.finding("WINDOW", usual, [usual, other]).holds is holds


def test_the_measurement_of_the_lag_says_something_of_each_constant() -> None:
    findings = lag.measure(2.0, [Pattern("even")])
    assert [one.constant for one in findings] == [f"lag.{name}" for name in lag.VARIANTS]


def test_the_command_prints_json_or_lines(folder: Path, capsys) -> None:
    bench_constants.constants(folder, ["shots"], 20, as_json=True)
    assert [one["constant"] for one in json.loads(capsys.readouterr().out)["findings"]] == [
        "cuts.CUT_TRUST",
        "cuts.CUT_DROP",
    ]
    bench_constants.constants(folder, ["shots"], 20, as_json=False)
    assert "cuts.CUT_DROP = 0.3: holds" in capsys.readouterr().out


def test_the_command_refuses_an_unknown_measurement_and_missing_footage(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="expected cut, shots"):
        bench_constants.constants(tmp_path, ["speed"], 20, as_json=True)
    with pytest.raises(typer.BadParameter, match="--clips FOLDER"):
        bench_constants.constants(None, None, 20, as_json=True)


def test_on_real_footage_pictures_of_a_shot_are_alike(clips: Path) -> None:
    (finding,) = cut.measure(clips, 60)
    assert finding.holds
