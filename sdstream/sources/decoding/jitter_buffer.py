"""Decides when a live picture is due: at once, or later, so that pictures out of a burst are shown one by one.

Networks and relays deliver in bursts, and some containers deliver sound after the picture of the same time. The buffer
learns how late pictures and sound come (`arrivals`), and delays each picture by what the latest of both need: the
shortest delay with even motion, and with the sound in time. A smooth source is never delayed. Time is an argument.
"""

import enum
import math

from sdstream.sources.decoding.arrivals import GUESS, Arrivals

NETWORK = 1.0
"""Longest delay (seconds) that `auto` takes for bursts: a longer pause is an interruption."""
SEGMENTS = 12.0
"""Longest delay (seconds) that `auto` takes for HLS and DASH: their bursts are whole segments, of 2 to 10 seconds."""
SHRINK = 0.004
"""Seconds a second by which the delay shrinks. Sound follows a change of 0.005 without a jump (`audio.delay`)."""
SOUND_SLACK = 0.05
"""Lateness of sound (seconds) that costs no delay, because sinks send sound later than its picture anyway."""
_SOUND_NOISE = 0.03
_SOUND_STOPPED = 2.0  # seconds without sound after which no picture waits for sound
_SOUND_KNOWN = 0.5  # seconds of sound after which sound counts as late without bursts, too
_QUIET = 0.3  # seconds without a packet that end a first segment
_LONGEST_FIRST = 2.0  # seconds after which a first segment counts as read, however slow the server is


class Reason(enum.IntEnum):
    """Why pictures are delayed; the number in the `buffer_reason` counter."""

    NONE = 0
    """Pictures are not delayed."""
    BEGINNING = 1
    """The first pictures came at once; a second burst is awaited."""
    BURSTS = 2
    """Pictures come in bursts."""
    LATE_SOUND = 3
    """Sound comes later than the picture of the same time."""
    SETTING = 4
    """`source.buffer` is a number."""


REASONS = ("", "the beginning", "pictures come in bursts", "sound comes after its picture", "source.buffer")
"""For people: why pictures are delayed, by `Reason`."""


class JitterBuffer:
    """The policy of a live input. All times in seconds; times of packets have the origin of the source."""

    def __init__(self, wish: float | None, *, segments: bool = False, exact: bool = False) -> None:
        """`wish` is the delay in seconds, or None for `auto`. `segments` says that bursts are segments of a playlist.

        Segments always come in bursts, so a single late segment is evidence, and the first picture waits until the
        first segment is there. `exact` says that the arrivals are known from the first packet on, without a server's
        backlog and without the time that FFmpeg takes to look for the tracks: then a first burst is the network's.
        """
        self.bound = (SEGMENTS if segments else NETWORK) if wish is None else wish
        """Longest delay of a picture."""
        self._wish = wish
        evidence = 1 if segments else 2
        opening = segments or exact
        self._pictures = Arrivals(self.bound, evidence=evidence, opening=opening)
        self._sound = Arrivals(self.bound, _SOUND_NOISE, evidence=evidence, opening=opening)
        self._awaits_segment = segments and wish is None
        self._transit = -math.inf  # from packet time to due time, by proof; shrinks slowly
        self._decided = 0.0
        self._floor = self._old_transit = 0.0  # the last floor; floor and delay of the timeline before
        self._timeline = 0
        self.held = 0.0
        """Seconds by which the fastest pictures are delayed now."""
        self.reason = Reason.NONE

    @property
    def excess(self) -> float:
        """Size of the bursts (seconds) if `auto` does not reach; 0 if the buffer is long enough."""
        return self._pictures.excess if self._wish is None else 0.0

    def excuse(self, seconds: float) -> None:
        """Note that the next packet was read up to `seconds` late for want of a processor, which no delay can mend."""
        self._pictures.excuse(seconds)
        self._sound.excuse(seconds)

    def on_picture(self, time: float, now: float) -> None:
        """Note the arrival of a picture's packet; `time` is the decoding time, because packets come in that order."""
        self._pictures.note(time, now)
        self._decide(now)

    def on_sound(self, time: float, now: float) -> None:
        """Note the arrival of a block of sound that begins at `time`."""
        self._sound.note(time, now)
        self._decide(now)

    def due(self, time: float, arrived: float, now: float) -> float:
        """Return when the picture with the presentation time `time` is due, at most `bound` after `arrived`.

        The picture is due at once if the time returned is not above `now`.
        """
        if self._awaits_segment and not self._segment_is_read(now):
            return arrived + self.bound
        if not self.held:
            return -math.inf
        began = self._pictures.began
        old = began is not None and arrived < began
        return min(time + (self._old_transit if old else self._pictures.floor + self.held), arrived + self.bound)

    def _segment_is_read(self, now: float) -> bool:
        """Tell whether the first segment is there. The next segment may come half a segment late."""
        began, newest = self._pictures.began, self._pictures.newest
        if began is None or newest is None or (now - newest < _QUIET and now - began < _LONGEST_FIRST):
            return False
        self._awaits_segment = False
        for track in (self._pictures, self._sound):
            self._transit = max(self._transit, track.floor + GUESS * track.first)
        self._decide(now)
        return True

    def _decide(self, now: float) -> None:
        """Choose the delay. By proof the delay grows at once, and shrinks slowly; a guess comes and goes at once."""
        if self._wish is not None:
            self.held, self.reason = self._wish, Reason.SETTING if self._wish else Reason.NONE
            return
        floor, noise = self._pictures.floor, self._pictures.noise
        if self._pictures.timelines != self._timeline:  # new times, but the network is the same
            self._timeline, self._old_transit = self._pictures.timelines, self._floor + self.held
            self._transit = floor + self.held if self.held else -math.inf
        sound, sound_guess = self._sound_needs(now)
        proven = max(self._pictures.proven, sound)
        guess = max(self._pictures.guess, sound_guess)
        shrunk = self._transit - SHRINK * (now - self._decided)
        self._decided = now
        self._transit = max(shrunk, floor + proven) if max(proven, shrunk - floor) > noise else -math.inf
        held = min(self.bound, max(guess, self._transit - floor))
        self.held, self._floor = held if held > noise else 0.0, floor
        self.reason = self._why(guess, sound)

    def _why(self, guess: float, sound: float) -> Reason:
        if not self.held:
            return Reason.NONE
        if guess >= self.held:
            return Reason.BEGINNING
        if sound and self._pictures.proven <= self._pictures.noise:
            return Reason.LATE_SOUND
        return Reason.LATE_SOUND if self.reason is Reason.LATE_SOUND and not self._pictures.proven else Reason.BURSTS

    def _sound_needs(self, now: float) -> tuple[float, float]:
        """Return the delays for the sound to be in time, by proof and by a guess.

        Both are 0 without sound, for sound late by no more than `SOUND_SLACK`, and if the times of sound and picture
        disagree.
        """
        sound = self._sound
        began, newest = sound.began, sound.newest
        later = sound.floor - self._pictures.floor
        if began is None or newest is None or now - newest > _SOUND_STOPPED + self.bound or later >= self.bound:
            return 0.0, 0.0
        known = now - began > _SOUND_KNOWN or sound.proven
        proven = later + sound.proven if known else 0.0
        guess = later + sound.guess if sound.guess or not known else 0.0
        return (proven if proven > SOUND_SLACK else 0.0), (guess if guess > SOUND_SLACK else 0.0)
