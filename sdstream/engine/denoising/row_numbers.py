"""The numbers of a row for a U-Net call that always computes every row, whatever the row's guidance and sampler."""

from typing import Generic, NamedTuple, TypeVar

from sdstream.engine.denoising.coefficients import Sampling, clean_weights, fresh_noise, way_on

N = TypeVar("N")
"""A number, or a column of numbers."""


class RowNumbers(NamedTuple, Generic[N]):
    """The numbers of a frame at a stage, in the order of a table's columns.

    The entering frame has x = signal latent + noise ε. Every row has x̂0 = x_weight x + output_weight output +
    ref_weight ref, and goes on with x = next_signal x̂0 + next_drift x + ε of its own.
    """

    signal: N
    noise: N
    x_weight: N
    output_weight: N
    ref_weight: N
    next_signal: N
    next_drift: N
    negative: N
    """1 for a row whose reference is the estimate from its negative row; 0 for a row that keeps the reference."""
    negative_x_weight: N
    negative_output_weight: N
    end_clean: N
    """Weights of x̂0 and x in the latent after the last stage."""
    end_x: N


def row_numbers(stage: int, sampling: Sampling) -> RowNumbers[float]:
    """Return the numbers of a frame at `stage`."""
    schedule = sampling.schedule
    last = stage + 1 == len(schedule)
    way = way_on(stage, schedule)
    weights, clean, onward = clean_weights(stage, sampling), schedule.clean(stage), (0.0, 0.0) if last else way
    negative = float(sampling.guidance.needs_negative(stage))
    end = way if last else (1.0, 0.0)
    return RowNumbers(schedule.a[0], schedule.b[0], *weights, *onward, negative, *clean, *end)


def noise_scale(stage: int, sampling: Sampling) -> float:
    """Return the scale of ε on the way from `stage` to the next."""
    return fresh_noise(stage, sampling)[1]
