"""The way of a row from a denoising stage to the next, for each sampler: three numbers a stage.

Every sampler here is linear in the clean estimate x̂0, the noise estimate e = (x - a x̂0) / b and fresh noise ε. A
sampler with momentum (DPM-Solver, PNDM) is not: it needs the estimates of earlier stages.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sdstream.controls import SamplerName


@dataclass(frozen=True)
class Sampler:
    """A sampler with its numbers; `final` is the signal share ᾱ after the last stage, 1 for a clean picture."""

    name: SamplerName = "lcm"
    eta: float = 0.0
    """Randomness of `tcd` (gamma in the paper, arXiv 2402.19159) and of `ddim` (arXiv 2010.02502), 0 to 1."""
    final: float = 1.0


LCM = Sampler()
"""The paper's sampler."""


@dataclass(frozen=True)
class Move:
    """The next x of a row: clean x̂0 + direction e + fresh ε."""

    clean: float
    direction: float = 0.0
    fresh: float = 0.0


def moves(sampler: Sampler, times: Sequence[float], share: Callable[[float], float]) -> tuple[Move, ...]:
    """Return the move after each stage; the last move gives the finished latent. `share` is ᾱ at a timestep."""
    steps = [_STEPS[sampler.name](sampler.eta, share, now, later) for now, later in pairwise(times)]
    return (*steps, _last(sampler, times[-1], share))


_Share = Callable[[float], float]


def _lcm(eta: float, share: _Share, now: float, later: float) -> Move:
    """Latent consistency (arXiv 2310.04378, algorithm 3): noise the clean estimate anew."""
    del eta, now
    target = share(later)
    return Move(math.sqrt(target), 0.0, math.sqrt(1.0 - target))


def _ddim(eta: float, share: _Share, now: float, later: float) -> Move:
    """DDIM (arXiv 2010.02502, equations 12 and 16). Euler's method in sigma is the same step with eta = 0."""
    source, target = share(now), share(later)
    deviation = eta * math.sqrt(max(0.0, (1.0 - target) / (1.0 - source) * (1.0 - source / target)))
    return Move(math.sqrt(target), math.sqrt(max(0.0, 1.0 - target - deviation**2)), deviation)


def _ancestral(eta: float, share: _Share, now: float, later: float) -> Move:
    """Euler with ancestral noise (k-diffusion, `sample_euler_ancestral`): DDIM with eta = 1, in sigma."""
    del eta
    source, target = share(now), share(later)
    before, after = _sigma(source), _sigma(target)
    up = math.sqrt(after**2 * (before**2 - after**2) / before**2)
    down = math.sqrt(after**2 - up**2)
    return Move(math.sqrt(target), math.sqrt(target) * down, math.sqrt(target) * up)


def _tcd(eta: float, share: _Share, now: float, later: float) -> Move:
    """Trajectory consistency (arXiv 2402.19159, algorithm 4): jump to s = (1 - eta) t', then noise up to t'."""
    del now
    between, target = share(math.floor((1.0 - eta) * later)), share(later)
    up = math.sqrt(target / between)
    fresh = math.sqrt(max(0.0, 1.0 - target / between)) if eta > 0 else 0.0
    # diffusers stays at s without noise: with eta = 0, s is t'.
    scale = up if eta > 0 else 1.0
    return Move(scale * math.sqrt(between), scale * math.sqrt(1.0 - between), fresh)


_STEPS = {"lcm": _lcm, "euler": _ddim, "euler_ancestral": _ancestral, "ddim": _ddim, "tcd": _tcd}


def _last(sampler: Sampler, now: float, share: _Share) -> Move:
    if sampler.name == "tcd":
        return Move(math.sqrt(share(0)), math.sqrt(1.0 - share(0)))  # diffusers' TCD ends at timestep 0
    if sampler.name == "ddim" and sampler.final < 1.0:
        return _ddim(sampler.eta, lambda t: share(t) if t == now else sampler.final, now, -1.0)
    return Move(1.0)


def _sigma(share: float) -> float:
    return math.sqrt((1.0 - share) / share)
