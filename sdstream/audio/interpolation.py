"""Sound between two samples, by Catmull-Rom splines.

A straight line would make the sound duller between samples than at samples. In stretched sound, dull and clear values
alternate many times a second, and the ear hears roughness.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sdstream.frame import Samples


def interpolate(samples: Samples, at: npt.NDArray[np.floating[Any]]) -> Samples:
    """Return the (len(at), 2) values at the positions `at`, counted from the second of `samples` (n, 2): 0 to n - 4.

    A value depends on one sample before the position and two samples after.
    """
    index = at.astype(int)
    t = (at - index).astype(np.float32)[:, None]
    a, b, c, d = (samples[index + i] for i in range(4))
    values: Samples = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return values
