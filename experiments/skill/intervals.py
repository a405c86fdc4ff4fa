"""Quantiles around any point forecast, from the errors that the same forecaster made lately: rolling conformal.

For each half-hour ahead the quantiles of the errors of the last 28 days at the same time of day are added, those of
origins whose outcome was known at the origin only.  Errors drift with the season, so the distances of the outer
quantiles from the median are stretched, for each day ahead, by what the outcomes of late would have asked for.

Source: Romano et al., Conformalized Quantile Regression, https://arxiv.org/abs/1905.03222, over a rolling window.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.metrics import QUANTILES, sample_quantiles
from experiments.skill.split import DAY, ORIGIN_STEP

Float = NDArray[np.float32]

WINDOW_DAYS = 28
PER_DAY = DAY // ORIGIN_STEP
_WEEK, _MONTH_DAYS = 7 * PER_DAY, 30
_FEWEST_DAYS, _LEAST_WH, _STRIDE = 14, 1.0, 4
_FIRST_DAY_BOUNDS, _LATER_BOUNDS = (0.5, 3.0), (1.0, 2.0)
"""Bounds of the stretch.  Calm weeks do not promise a calm week or month to come: only the first day's intervals are
narrowed."""

_RAISE = 0.2
"""Share of what lies beyond a quantile by which its level is raised a month ahead, and proportionally before it: errors
of like leads overlap, and four weeks hold few that are independent."""

_NEAR = 2
"""Half-hours before and after one whose errors count for it, too, in the first day."""


def adaptive_quantiles(error: Float, count: int) -> Float:
    """Quantiles of what comes minus what was said, for the last ``count`` origins.

    Args:
        error: actual - forecast at origins every three hours, in order, shape ``(origins, horizon)``; NaN where the
            outcome is not known.
        count: origins; those before them that have 28 days of known errors set the stretch.

    Returns:
        shape ``(count, horizon, 3)``.
    """
    origins, horizon = error.shape
    known = origins - PER_DAY * (WINDOW_DAYS + -(-horizon // DAY))  # origins that have rolling quantiles
    return stretched(rolling_quantiles(error, known), error[origins - known :])[known - count :]


def stretched(quantiles: Float, error: Float) -> Float:
    """Quantiles with the outer ones at such distances from the median as the outcomes of late would have asked for.

    The first day's are widened or narrowed, later ones widened alone.

    Args:
        quantiles: at origins every three hours, in order, shape ``(origins, horizon, 3)``.
        error: what came, on the same scale, shape ``(origins, horizon)``; what is not known yet is not looked at.
    """
    median = quantiles[:, :, 1]
    late, found = error - median, quantiles.copy()
    for column, level, sign in ((0, 1 - QUANTILES[0], -1), (2, QUANTILES[2], 1)):
        distance = sign * (quantiles[:, :, column] - median)
        found[:, :, column] = median + sign * _stretch(sign * late, distance, level) * distance
    return found


def _stretch(beyond: Float, distance: Float, level: float) -> Float:
    """Factor of the ``distance`` of a quantile from the median under which the errors of late fell as often as due.

    It is bounded, and its level raised with the lead.

    Args:
        beyond: what came beyond the median, in the quantile's direction, shape ``(origins, horizon)``.
        distance: of the quantile, of the same shape. level: share that should fall below it.

    Returns:
        of the same shape; one factor for each day ahead and week of origins, 1 before two weeks are known.
    """
    origins, horizon = beyond.shape
    ratio = np.divide(beyond, distance, out=np.zeros_like(beyond), where=distance > _LEAST_WH)
    stretch = np.ones_like(beyond)
    for low in range(0, horizon, DAY):
        day = low // DAY + 1
        bounds = _FIRST_DAY_BOUNDS if day == 1 else _LATER_BOUNDS
        raised = level + (1 - level) * _RAISE * (day - 1) / (_MONTH_DAYS - 1)
        for first in range(PER_DAY * (day + _FEWEST_DAYS), origins, _WEEK):
            last = first - PER_DAY * day + 1  # of later origins the outcome is not known
            past = np.sort(ratio[max(last - PER_DAY * WINDOW_DAYS, 0) : last, low : low + DAY : _STRIDE], axis=None)
            factor = np.clip(past[int(raised * (len(past) - 1))], *bounds)
            stretch[first : first + _WEEK, low : low + DAY] = factor
    return stretch


def rolling_quantiles(error: Float, count: int) -> Float:
    """Quantiles of what comes minus what was said, for the last ``count`` origins.

    Args:
        error: actual - forecast at origins every three hours, in order, shape ``(origins, horizon)``; NaN where the
            outcome is not known.
        count: as many as have 28 days of errors before them that were known at the origin.

    Returns:
        shape ``(count, horizon, 3)``.
    """
    origins, horizon = error.shape
    quantiles = np.zeros((count, horizon, len(QUANTILES)), np.float32)
    for day, low in enumerate(range(0, horizon, DAY), start=1):
        high = min(low + DAY, horizon)
        part = _near(error[:, low:high]) if day == 1 else error[:, low:high, None]  # (origins, steps, samples)
        for first in range(PER_DAY):
            at = np.arange(origins - count + first, origins, PER_DAY)
            if len(at):
                days = at[:, None] - PER_DAY * np.arange(day, day + WINDOW_DAYS)  # (m, 28): known at the origin
                past = part[days].transpose(1, 3, 0, 2).reshape(-1, len(at), high - low)  # (28 x samples, m, steps)
                quantiles[first::PER_DAY, low:high] = sample_quantiles(past)
    return quantiles


def _near(error: Float) -> Float:
    """Errors of the half-hours around each, shape ``(origins, steps, 5)``; the ends stand for what lies beyond."""
    steps = error.shape[1]
    around = np.clip(np.arange(steps)[:, None] + np.arange(-_NEAR, _NEAR + 1), 0, steps - 1)
    return error[:, around]
