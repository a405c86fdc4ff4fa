"""Clothes washer, dryer and dishwasher.

Loads follow from persons (about 300 a year for four; EIA, RECS 2020), start while someone is up, mostly on the
household's own laundry days, and come in a row.  A dryer takes 1.8-3.8 kWh a load, a washer 0.15-0.4 kWh, a dishwasher
0.6-1.3 kWh (ENERGY STAR).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.stock import Stock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DISHWASHER_SHARE = 0.75


def laundry_wh(rng: np.random.Generator, span: Span, occupancy: Occupancy, stock: Stock) -> Floats:
    """Energy of each slot, Wh, shape ``(n,)``."""
    energy = np.zeros(len(span) + 16)
    _clothes(rng, energy, span, occupancy, rng.random() < stock.electric_dryer)
    _dishes(rng, energy, span, occupancy)
    return energy[: len(span)]


def _clothes(rng: np.random.Generator, energy: Floats, span: Span, occupancy: Occupancy, electric: bool) -> None:
    dryer_wh = rng.uniform(1800.0, 3800.0) if electric else rng.uniform(120.0, 250.0)
    washer_wh, a_week = rng.uniform(150.0, 400.0), (0.8 + 1.5 * occupancy.people) * rng.lognormal(0.0, 0.35)
    laundry_days = rng.dirichlet(np.full(7, rng.uniform(0.3, 4.0)))
    rate = a_week * laundry_days[(np.arange(span.days) + int(rng.integers(7))) % 7] * np.where(span.workday, 0.75, 1.6)
    loads = rng.poisson(np.where(occupancy.travelling, 0.0, rate))
    first = _start_rows(rng, span, occupancy)
    dried = rng.uniform(0.5, 1.0)
    for turn in range(4):
        rows = first[loads > turn] + 2 * turn
        np.add.at(energy, rows, washer_wh * rng.uniform(0.7, 1.3, len(rows)))
        hot_wh = np.where(rng.random(len(rows)) < dried, dryer_wh * rng.lognormal(-0.03, 0.25, len(rows)), 0.0)
        for later, share in ((2, 0.6), (3, 0.4)):
            np.add.at(energy, rows + later, hot_wh * share)


def _dishes(rng: np.random.Generator, energy: Floats, span: Span, occupancy: Occupancy) -> None:
    has, often = (
        rng.random() < DISHWASHER_SHARE,
        np.clip(0.15 + 0.15 * occupancy.people * rng.lognormal(0, 0.4), 0, 0.95),
    )
    usual_h, cycle_wh = rng.choice([9.0, 13.5, 19.3, 20.5, 21.5]) + rng.normal(0.0, 0.4), rng.uniform(600.0, 1300.0)
    days = np.flatnonzero((rng.random(span.days) < often) & ~occupancy.travelling)
    hour = np.clip(usual_h + rng.normal(0.0, rng.uniform(0.3, 1.5), len(days)), 6.0, 23.9)
    row = span.day_row[days] + (2 * hour).astype(np.int64)
    if has:
        for later, share in ((0, 0.45), (1, 0.15), (2, 0.4)):
            np.add.at(energy, row + later, cycle_wh * share)


def _start_rows(rng: np.random.Generator, span: Span, occupancy: Occupancy) -> Ints:
    """Row of a start on each day, drawn among the slots in which someone is awake."""
    usual = 0.2 + (span.hour >= 8.0) + ((span.hour >= 9.0) & (span.hour < 15.0))
    weight = np.concatenate(([0.0], np.cumsum((occupancy.awake > 0) * usual + 1e-6)))
    ends = np.append(span.day_row, len(span))
    low, high = weight[ends[:-1]], weight[ends[1:]]
    picked = low + rng.random(span.days) * (high - low)
    rows: Ints = np.clip(np.searchsorted(weight, picked, side="right") - 1, 0, len(span) - 1)
    return rows
