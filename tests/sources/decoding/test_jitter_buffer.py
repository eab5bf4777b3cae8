"""The jitter buffer's laws: order, bound, no cost on a smooth source, even motion out of bursts."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdstream.sources.decoding.jitter_buffer import NETWORK, SEGMENTS, SHRINK, SOUND_SLACK, JitterBuffer, Reason
from tests.sources.decoding.simulated_playout import Packet, in_bursts, in_order, longest_gap, play, smooth, stalled

FRAME = 1 / 30
gaps = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 8)), min_size=2, max_size=80)
steps = st.lists(st.one_of(st.floats(0, 0.1), st.floats(-1e5, 1e5)), min_size=80, max_size=80)
few = settings(max_examples=20, deadline=None)
"""For laws about some hundred packets."""
wishes = st.one_of(st.none(), st.floats(0, 5))


@given(gaps, steps, wishes, st.booleans())
def test_order_is_kept_and_nothing_is_held_longer_than_the_bound(gaps, steps, wish, segments):
    arrivals, times = accumulate(gaps, initial=50.0), accumulate(steps, initial=0.0)
    packets = [Packet(time, arrived) for time, arrived in zip(times, arrivals, strict=False)]
    buffer = JitterBuffer(wish, segments=segments)
    shown = play(packets, buffer)
    places = [packets.index(picture.packet) for picture in shown]
    assert places == sorted(places)
    assert max(picture.delay for picture in shown) <= buffer.bound + 1e-6
    assert packets[-1] in [picture.packet for picture in shown]


@few
@given(
    st.sampled_from([5.0, 15.0, 24.0, 30.0, 60.0, 120.0]),
    st.floats(0.999, 1.001),
    st.floats(-1e6, 1e6),
    st.integers(0, 99),
)
def test_a_smooth_source_is_due_at_once(fps, clock, origin, seed):
    jitter = min(0.009, 0.5 / fps)
    packets = [Packet(packet.time + origin, packet.arrived) for packet in smooth(12, fps, 1000.0, clock, jitter, seed)]
    shown = play(packets, JitterBuffer(None))
    assert [picture.packet for picture in shown] == packets
    assert max(picture.delay for picture in shown) == 0


@few
@given(st.floats(0.08, 0.95), st.sampled_from([15.0, 25.0, 30.0, 60.0]))
def test_bursts_are_shown_evenly_from_the_first_with_a_delay_of_one_burst(length, fps):
    shown = play(in_bursts(smooth(20, fps), length), JitterBuffer(None, exact=True))
    assert longest_gap(shown) < 2 / fps + 0.051
    assert longest_gap(shown, after=shown[0].at + 3 * length) < 2 / fps + 0.02
    assert len(shown) >= 0.95 * 20 * fps - length * fps
    assert max(picture.delay for picture in shown) <= length + 1e-6


@few
@given(st.floats(0.08, 0.95), st.sampled_from([15.0, 25.0, 30.0, 60.0]))
def test_after_an_opening_of_unknown_arrival_bursts_are_shown_evenly_from_the_second(length, fps):
    shown = play(in_bursts(smooth(20, fps), length), JitterBuffer(None))
    assert longest_gap(shown, after=shown[0].at + 1 / fps) < 2 / fps + 0.051


def read_with_pauses(buffer, length, own):
    """Note a smooth source whose packets do not come for `length` seconds twice a second.

    For `own` seconds of `length` the process has no processor. Returns the longest delay and the last.
    """
    free_at, holds = 0.0, []
    for number in range(600):
        time = number * FRAME
        if time >= free_at + 0.5:
            free_at = time + length
            buffer.excuse(own)
        buffer.on_picture(time, max(time, free_at))
        holds.append(buffer.held)
    return max(holds), holds[-1]


@few
@given(st.floats(0.08, 0.45))
def test_a_process_without_a_processor_is_no_burst_of_the_network(length):
    assert read_with_pauses(JitterBuffer(None), length, own=length) == (0, 0)
    assert read_with_pauses(JitterBuffer(None), length, own=0.001)[1] > length - 2 * FRAME


@few
@given(st.floats(0.0, 0.2), st.floats(0.1, 0.25))
def test_what_the_network_adds_to_the_own_lateness_counts(own, more):
    _, held = read_with_pauses(JitterBuffer(None), own + more, own)
    assert held == pytest.approx(more, abs=2 * FRAME)


@few
@given(st.floats(0.1, 0.9), st.integers(0, 99))
def test_random_delays_are_evened_out(most, seed):
    shown = play(smooth(20, jitter=most, seed=seed), JitterBuffer(None))
    after = [picture for picture in shown if picture.at > 1005]
    assert len(after) > 0.9 * 15 * 30


def test_the_delay_grows_with_the_second_burst_and_shrinks_slowly():
    packets = smooth(60)
    disturbed = in_bursts(packets[150:600], 0.4, origin=packets[150].arrived)
    buffer = JitterBuffer(None)
    shown = play(in_order([*packets[:150], *disturbed, *packets[600:]]), buffer)
    assert max(picture.delay for picture in shown if picture.at < 1005) == 0
    assert longest_gap(shown, after=1006.3) < 2.5 * FRAME
    held = {round(picture.at): picture.held for picture in shown}
    assert held[1010] == pytest.approx(0.4, abs=0.05)
    assert buffer.reason is Reason.BURSTS
    assert held[1050] == pytest.approx(held[1026] - 24 * SHRINK, abs=0.02)


@few
@given(st.floats(0.1, 10), st.floats(5.01, 9))
def test_a_single_hiccup_delays_nothing_that_comes_after(length, begin):
    shown = play(stalled(smooth(30), 1000 + begin, length), JitterBuffer(None))
    assert max(picture.delay for picture in shown) == 0


@few
@given(st.floats(0.1, 0.95))
def test_a_servers_backlog_delays_nothing_even_with_a_hiccup_after_the_opening(length):
    packets = stalled(smooth(10), 999.9, 0.1 + length)
    buffer = JitterBuffer(None)
    shown = play(stalled(packets, 1003.5, length), buffer)
    assert [picture.delay for picture in shown] == [0] * len(shown)
    assert longest_gap([picture for picture in shown if picture.at < 1003]) < 2 * FRAME
    assert buffer.reason is Reason.NONE


@few
@given(st.floats(0.1, 0.95))
def test_a_first_burst_is_forgotten_when_no_second_burst_comes(length):
    shown = play(stalled(smooth(10), 1000.5, length), JitterBuffer(None))
    assert longest_gap(shown, after=1000.5 + length) < 2 * FRAME
    assert max(picture.delay for picture in shown if picture.at > 1000.8 + 2.5 * length) == 0


def test_of_a_backlog_longer_than_the_bound_the_newest_is_shown():
    shown = play(stalled(smooth(10), 999.9, 3.1), JitterBuffer(None))
    assert shown[0].packet.time == pytest.approx(103, abs=2 * FRAME)
    assert max(picture.delay for picture in shown) == 0


@few
@given(st.floats(-1e5, 1e5).filter(lambda jump: abs(jump) > 0.05), st.floats(0, 30))
def test_a_jump_of_the_times_delays_nothing_for_long(jump, pause):
    packets = smooth(20)
    later = [Packet(packet.time + jump, packet.arrived + pause) for packet in packets[300:]]
    shown = play([*packets[:300], *later], JitterBuffer(None))
    settled = later[0].arrived + NETWORK + 5
    assert max(picture.delay for picture in shown if picture.at > settled) < 0.02


@few
@given(st.floats(0.1, 0.9))
def test_a_publisher_that_starts_again_keeps_the_delay(length):
    packets = in_bursts(smooth(20), length)
    again = [Packet(packet.time - 100, packet.arrived + 1e-3) for packet in packets[301:]]
    shown = play([*packets[:301], *again], JitterBuffer(None))
    assert longest_gap(shown) < length + 2 * FRAME + 0.05
    assert longest_gap(shown, after=packets[301].arrived + 2.5 * length) < 2 * FRAME + 0.051


@pytest.mark.parametrize("clock", [0.25, 0.5, 0.9, 1.1, 2.0, 4.0])
def test_a_source_at_the_wrong_speed_is_held_within_the_bound(clock):
    shown = play(smooth(30, clock=clock), JitterBuffer(None))
    assert max(picture.delay for picture in shown) <= NETWORK
    assert max(picture.delay for picture in shown if picture.at > 1010) < 1e-9
    assert len(shown) > 25 * 30


@few
@given(st.floats(2, 6), st.floats(0, 0.3), st.integers(0, 99))
def test_segments_are_shown_without_a_gap_with_a_delay_of_one_to_two_segments(length, jitter, seed):
    buffer = JitterBuffer(None, segments=True)
    packets = in_bursts(smooth(12 * length, jitter=jitter, seed=seed), length)
    shown = play(packets, buffer)
    assert longest_gap(shown) < 2 * FRAME
    assert max(picture.held for picture in shown) <= 2 * length + 1
    assert buffer.bound == SEGMENTS


def sound_of(packets, late, group=1):
    """Return blocks of sound with the times of the pictures, each `late` after them, in groups."""
    blocks = [Packet(packet.time, packet.arrived + late) for packet in packets]
    return [
        Packet(block.time, blocks[number - number % group + group - 1].arrived)
        for number, block in enumerate(blocks[: len(blocks) // group * group])
    ]


@pytest.mark.parametrize(("late", "group"), [(0.3, 1), (0.7, 1), (0.0, 8), (0.05, 6)])
def test_a_picture_waits_for_its_sound(late, group):
    packets = smooth(20)
    sound = sound_of(packets, late, group)
    buffer = JitterBuffer(None)
    shown = play(packets, buffer, sound)
    arrival = {block.time: block.arrived for block in sound}
    waited = [picture.at - arrival[picture.packet.time] for picture in shown if 1002 < picture.at < 1018]
    assert min(waited) > -0.01
    assert buffer.reason is Reason.LATE_SOUND


@pytest.mark.parametrize("late", [SOUND_SLACK - 0.01, 3.0, -3.0])
def test_a_picture_waits_neither_for_prompt_sound_nor_for_sound_beyond_the_bound(late):
    packets = smooth(20)
    shown = play(packets, JitterBuffer(None), sound_of(packets, late))
    assert max(picture.delay for picture in shown) == 0


def test_sound_that_stops_lets_the_pictures_go():
    packets = smooth(200)
    shown = play(packets, JitterBuffer(None), sound_of(packets[:300], 0.3))
    assert shown[290].delay == pytest.approx(0.3, abs=0.05)
    assert shown[-1].delay == 0


def test_a_number_is_a_constant_delay_and_zero_is_none():
    packets = in_bursts(smooth(10), 0.2)
    fixed, off = play(packets, JitterBuffer(0.5)), play(packets, JitterBuffer(0.0))
    assert longest_gap(fixed, after=1001) < 1.5 * FRAME
    assert fixed[-1].delay == pytest.approx(0.5, abs=0.05)
    assert max(picture.delay for picture in off) == 0
    assert len(off) == 50


def test_bursts_beyond_the_bound_are_told():
    buffer = JitterBuffer(None)
    play(in_bursts(smooth(20), 1.6), buffer)
    assert buffer.excess == pytest.approx(1.6, abs=0.1)
    assert buffer.held == pytest.approx(NETWORK)


def test_a_flood_of_packets_keeps_little():
    buffer = JitterBuffer(None)
    for number in range(20_000):
        buffer.on_picture(number * 1e-5, number * 1e-5 + number % 7 * 0.1)
    kept = [part for track in (buffer._pictures, buffer._sound) for part in vars(track).values()]
    assert max(len(part) for part in kept if hasattr(part, "__len__")) <= 64  # deques only: numbers have no length
