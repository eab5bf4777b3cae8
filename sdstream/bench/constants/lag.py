"""The constants of `audio.lag`: the quality of the sound with a lower and a higher value, for difficult arrivals."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple

import numpy as np

from sdstream.audio import lag
from sdstream.bench.constants.finding import ConstantFinding
from sdstream.bench.constants.replay import Heard, Pattern, replay

PATTERNS = (
    Pattern("even"),
    Pattern("fresh pictures", latency=(0.02,)),
    Pattern("jitter of 40 ms", jitter=0.04),
    Pattern("bursts of 0.3 s", latency=(0.05,), burst=0.3),
    Pattern("another rung every 4 s", latency=(0.2, 0.8)),
    Pattern("2 pictures a second", latency=(0.6,), picture_fps=2.0, jitter=0.1),
    Pattern("one block in 15 late", latency=(0.02,), straggler=0.06),
    Pattern("a sink held up", held_up=0.24),
    Pattern("stalls of 0.2 s, often", latency=(0.1,), stall=0.2, stall_every=1.5),
    Pattern("stalls of 0.3 s", latency=(0.1,), stall=0.3),
    Pattern("stalls of 1.5 s", stall=1.5),
    Pattern("an engine of uneven pace", latency=(0.4,), picture_fps=8.0, jitter=0.12),
    Pattern("a late first picture", latency=(0.9,)),
    Pattern("no pictures", picture_fps=0.0),
)

SECONDS = 20.0
"""Simulated seconds of each pattern."""

VARIANTS: dict[str, tuple[float, float]] = {
    "WINDOW": (0.5, 2.0),
    "FEWEST": (2, 10),
    "ARRIVALS": (1.5, 6.0),
    "LATEST": (0.9, 0.975),
    "MARGIN": (0.005, 0.020),
    "STALL": (0.25, 1.0),
    "SETTLE": (0.125, 0.5),
    "ALONE": (0.5, 2.0),
    "UNDERRUN": (0.005, 0.020),
    "UNDERRUN_MOST": (0.05, 0.2),
    "FORGET": (0.5 ** (1 / 15), 0.5 ** (1 / 60)),
}
"""Constant -> half and twice the value, lower value first. For LATEST the share left out is halved and doubled, for
FORGET the half-life."""

_WORSE = Heard(silent=0.05, off=0.001, start=0.01, moved=0.2)
"""Differences of each quantity above which the sound is worse."""

_BETTER = 0.1
"""Share of a quantity above which a difference is an improvement: less may be chance, or the choice of patterns."""

_QUANTITIES = ("s silent a minute", "s off", "s until the first sound", "s moved a minute")


def measure(seconds: float = SECONDS, patterns: Iterable[Pattern] = PATTERNS) -> list[ConstantFinding]:
    """Replay every pattern with each constant: present value, lower and higher."""
    patterns = tuple(patterns)
    usual = heard(patterns, seconds)
    findings = []
    for name, values in VARIANTS.items():
        variants = []
        for value in values:
            with constant(name, value):
                variants.append(heard(patterns, seconds))
        findings.append(finding(name, usual, variants))
    return findings


def finding(name: str, usual: Heard, variants: list[Heard]) -> ConstantFinding:
    """Compare a constant with a lower and a higher value: `usual` and `variants` are means over all patterns."""
    measured = {
        f"{label}: {quantity}": value
        for label, result in zip(("present value", "lower", "higher"), (usual, *variants), strict=True)
        for quantity, value in zip(_QUANTITIES, astuple(result), strict=True)
    }
    law = "neither the lower nor the higher value improves one quantity without making another worse"
    holds = not any(dominates(variant, usual) for variant in variants)
    return ConstantFinding(f"lag.{name}", float(getattr(lag, name)), measured, law, holds)


def heard(patterns: tuple[Pattern, ...], seconds: float) -> Heard:
    """Return the means over all patterns."""
    return Heard(*np.mean([astuple(replay(pattern, seconds)) for pattern in patterns], axis=0).tolist())


def dominates(one: Heard, other: Heard) -> bool:
    """Return whether `one` is better than `other` in at least one quantity, and worse in none."""
    quantities = list(zip(astuple(one), astuple(other), astuple(_WORSE), strict=True))
    better = any(a < b - max(_BETTER * b, worse) for a, b, worse in quantities)
    return better and not any(a > b + worse for a, b, worse in quantities)


@contextmanager
def constant(name: str, value: float) -> Iterator[None]:
    """Set a constant of `audio.lag` to `value` for as long as the block runs."""
    usual = getattr(lag, name)
    setattr(lag, name, value)
    try:
        yield
    finally:
        setattr(lag, name, usual)
