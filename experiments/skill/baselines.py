"""What people would use instead: the last value, the same hour of yesterday or of last week, a profile, a ridge."""

from __future__ import annotations

import numpy as np

from client.features import DAY, MONTH, WEEK
from client.ridge import load_base, pv_base
from common.ridge import RidgeWeights
from experiments.skill.homes import Float, Forecast, Home, Index

_STEPS = np.arange(MONTH)


def persistence(home: Home, rows: Index) -> Forecast:
    """The last metered interval, for ever."""
    interval = np.arange(-home.history.resolution_slots, 0)
    last = rows[:, None] + interval

    def hold(values: Float) -> Float:
        held: Float = np.repeat(values[last].mean(axis=1, keepdims=True), MONTH, axis=1)
        return held

    return Forecast(hold(home.features.load), hold(home.features.pv))


def daily_naive(home: Home, rows: Index) -> Forecast:
    """The same half-hour of the last day."""
    return _repeat(home, rows, DAY)


def weekly_naive(home: Home, rows: Index) -> Forecast:
    """The same half-hour of the last week."""
    return _repeat(home, rows, WEEK)


def _repeat(home: Home, rows: Index, period: int) -> Forecast:
    past = rows[:, None] - period + _STEPS % period
    return Forecast(home.features.load[past], home.features.pv[past])


def ewma_profile(home: Home, rows: Index) -> Forecast:
    """Exponentially weighted mean of the same half-hour of the past days."""
    ahead = rows[:, None] + _STEPS % DAY
    return Forecast(home.features.profile[ahead], home.features.pv_profile[ahead])


def ridge(home: Home, rows: Index, weights: RidgeWeights) -> Forecast:
    """The linear base with these weights."""
    return Forecast(load_base(home.features, rows, MONTH, weights), pv_base(home.features, rows, MONTH, weights))
