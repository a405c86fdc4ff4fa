"""How good a forecast is: errors of a point forecast, of quantiles, and of intervals; arrays of one shape, any unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

QUANTILES = (0.1, 0.5, 0.9)
"""Levels of the quantiles that are forecast."""


def sample_quantiles(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Quantiles :data:`QUANTILES` of the first axis at the ranks ``level (n + 1)``, stacked on the last.

    A new value falls below such a quantile as often as the level says, if it is a value like the ``n`` others.
    """
    ordered = np.sort(samples, axis=0)
    last = len(ordered) - 1
    found = []
    for level in QUANTILES:
        rank = min(max(level * (len(ordered) + 1) - 1, 0.0), float(last))
        low, share = int(rank), np.float32(rank % 1)
        found.append((1 - share) * ordered[low] + share * ordered[min(low + 1, last)])
    return np.stack(found, axis=-1)


def mae(forecast: Array, actual: Array) -> float:
    """Mean absolute error, in the unit of the arrays."""
    return float(np.mean(np.abs(forecast - actual)))


def rmse(forecast: Array, actual: Array) -> float:
    """Root mean square error, in the unit of the arrays."""
    return float(np.sqrt(np.mean((forecast - actual) ** 2)))


def nrmse(forecast: Array, actual: Array) -> float:
    """RMSE over the mean absolute actual value; NaN where that is 0."""
    size = float(np.mean(np.abs(actual)))
    return rmse(forecast, actual) / size if size else float("nan")


def pinball(quantile_forecast: Array, actual: Array, level: float) -> float:
    """Mean pinball loss of a forecast of the quantile ``level`` (0..1); half the MAE at 0.5.

    Source: Koenker and Bassett, Econometrica 46 (1978), https://doi.org/10.2307/1913643
    """
    error = actual - quantile_forecast
    return float(np.mean(np.maximum(level * error, (level - 1) * error)))


def coverage(low: Array, high: Array, actual: Array) -> float:
    """Share of actual values inside ``[low, high]``; 0.8 is right for a q10-q90 interval."""
    return float(np.mean((low <= actual) & (actual <= high)))
