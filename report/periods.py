"""Figures of months and of all days together, with intervals over days; and who is worse off over four weeks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from report.accounts import WORSE_OFF_NUSD
from report.outcome import DayOutcome
from report.schema import Part

RESAMPLES = 2000
BLOCK_DAYS = 7
"""Days in a row that are drawn together: the weather and the price of neighbouring days are alike."""
LEAST_FOR_BLOCKS = 14
WINDOW_DAYS = 28

Floats = NDArray[np.float64]


class Estimate(Part):
    """A figure and its 95 % confidence interval over days, by bootstrap; no interval of fewer than two days."""

    value: float | None
    low: float | None
    high: float | None


class PeriodRow(Part):
    """Figures of a period; an interval says how much they hang on which days it had.

    Attributes:
        period: YYYY-MM, or "all".
        savings_percent_b1: 100 (b1 - p2p) / b1. captured_share: (b1 - p2p) / (b1 - optimum), 0..1.
        homes_worse_off: homes that pay at least a cent more, over the period, than with their battery alone.
        peak_window_cut_percent: cut of the energy drawn in the peak window against b1.
        day_max_ratio: mean over days of the day's highest half-hour over b1's; above 1: a rebound peak.
    """

    period: str
    days: int
    savings_percent_b1: Estimate
    captured_share: Estimate
    homes_worse_off: int
    peak_window_cut_percent: Estimate
    day_max_ratio: Estimate


class FourWeeks(Part):
    """Who is worse off than with their own battery over 28 days in a row; null where so many do not follow each other.

    Attributes:
        windows: spans of 28 days in a row, of which each day begins one.
        homes_worse_off: homes that are worse off in at least one of them. worst_usd: the most that a home lost in one.
    """

    windows: int
    homes_worse_off: int
    worst_usd: float


def period_row(period: str, outcomes: Sequence[DayOutcome]) -> PeriodRow:
    """Figures of the days ``outcomes``, in the order of time."""
    sums = [outcome.paid.community for outcome in outcomes]
    b1, p2p = (np.array([getattr(s, name) for s in sums], np.float64) for name in ("b1_nusd", "p2p_nusd"))
    optima = np.array([np.nan if o.optimum_nusd is None else o.optimum_nusd for o in outcomes], np.float64)
    peaks = [o.peak for o in outcomes if o.peak.window_b1_wh is not None]
    window_b1 = np.array([peak.window_b1_wh for peak in peaks], np.float64)
    window_p2p = np.array([peak.window_p2p_wh for peak in peaks], np.float64)
    ratios = np.array([r for r in (peak.day_max_ratio for peak in peaks) if r is not None], np.float64)
    follow = all(b.date - a.date == timedelta(days=1) for a, b in pairwise(outcomes))
    return PeriodRow(
        period=period,
        days=len(outcomes),
        savings_percent_b1=ratio(100 * (b1 - p2p), b1, follow),
        captured_share=ratio(b1 - p2p, b1 - optima, follow),
        homes_worse_off=sum(loss >= WORSE_OFF_NUSD for loss in _losses(outcomes).sum(axis=0).tolist()),
        peak_window_cut_percent=ratio(100 * (window_b1 - window_p2p), window_b1, follow),
        day_max_ratio=ratio(ratios, np.ones(len(ratios)), follow),
    )


def months(outcomes: Sequence[DayOutcome]) -> list[PeriodRow]:
    """Figures of each calendar month that has a day."""
    ranked = sorted(outcomes, key=lambda outcome: outcome.day)
    return [period_row(month, list(days)) for month, days in groupby(ranked, key=lambda outcome: outcome.day[:7])]


def four_weeks(outcomes: Sequence[DayOutcome]) -> FourWeeks | None:
    """Who is worse off over 28 days in a row."""
    ranked = sorted(outcomes, key=lambda outcome: outcome.day)
    starts = [
        k
        for k in range(len(ranked) - WINDOW_DAYS + 1)
        if ranked[k + WINDOW_DAYS - 1].date - ranked[k].date == timedelta(days=WINDOW_DAYS - 1)
    ]
    if not starts:
        return None
    upto = np.concatenate([np.zeros((1, _losses(ranked).shape[1]), np.int64), np.cumsum(_losses(ranked), axis=0)])
    lost = np.stack([upto[k + WINDOW_DAYS] - upto[k] for k in starts])  # (windows, homes)
    worst = max(int(lost.max(initial=0)), 0)
    worse = int((lost >= WORSE_OFF_NUSD).any(axis=0).sum())
    return FourWeeks(windows=len(starts), homes_worse_off=worse, worst_usd=round(worst / 1e9, 4))


def ratio(part: Floats, whole: Floats, follow: bool) -> Estimate:
    """Sum of ``part`` over the sum of ``whole``, shape ``(days,)`` each, and the interval of a bootstrap over days.

    Args:
        part, whole: NaN where a day's is not known: then nothing is.
        follow: whether the days follow each other; then weeks are drawn, not days (a circular block bootstrap, Politis
            and Romano 1992), for the weather of one day is much like that of the next.
    """
    total = float(whole.sum())
    if not total > 0 or not np.isfinite(part.sum()):
        return Estimate(value=None, low=None, high=None)
    value, days = float(part.sum()) / total, len(part)
    if days < 2:
        return Estimate(value=round(value, 6), low=None, high=None)
    block = BLOCK_DAYS if follow and days >= LEAST_FOR_BLOCKS else 1
    starts = np.random.default_rng(days).integers(0, days, (RESAMPLES, -(-days // block)))
    rows = ((starts[:, :, None] + np.arange(block)) % days).reshape(RESAMPLES, -1)[:, :days]
    wholes = whole[rows].sum(axis=1)
    drawn = part[rows].sum(axis=1)[wholes > 0] / wholes[wholes > 0]
    low, high = (float(np.percentile(drawn, q)) for q in (2.5, 97.5))
    return Estimate(value=round(value, 6), low=round(low, 6), high=round(high, 6))


def _losses(outcomes: Sequence[DayOutcome]) -> NDArray[np.int64]:
    """What each home paid beyond its battery alone, n$, shape ``(days, homes)``; 0 on days that it did not report."""
    ids = sorted({home for outcome in outcomes for home in outcome.paid.home_ids})
    column = {home: i for i, home in enumerate(ids)}
    losses = np.zeros((len(outcomes), len(ids)), np.int64)
    for row, paid in enumerate(outcome.paid for outcome in outcomes):
        columns = [column[home] for home in paid.home_ids]
        losses[row, columns] = (paid.p2p_nusd - paid.battery_only_nusd) * paid.reported
    return losses
