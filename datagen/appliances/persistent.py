"""Random series that last: moods, habits and clutter that change over hours, days and months."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float64]


def autoregressive(rng: np.random.Generator, size: int, correlation: float) -> Floats:
    """First-order autoregressive series with mean 0 and variance 1; shape ``(size,)``."""
    noise = rng.standard_normal(size)
    noise[1:] *= np.sqrt(1 - correlation**2)
    return np.asarray(lfilter([1.0], [1.0, -correlation], noise), np.float64)


def regimes(rng: np.random.Generator, days: int, changes_a_year: float, spread: float) -> Floats:
    """Log-normal level by day, median 1, that jumps to another value a few times a year; shape ``(days,)``."""
    count = int(rng.poisson(changes_a_year * days / 365)) + 1
    starts = np.sort(rng.integers(0, days, count))
    levels = np.exp(spread * rng.standard_normal(count + 1))
    return np.asarray(levels[np.searchsorted(starts, np.arange(days), side="right")], np.float64)
