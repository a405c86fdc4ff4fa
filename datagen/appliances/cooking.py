"""Meals: a range or oven for dinner, and the small things around every meal; gas ranges take power for the small only.

An electric range takes about 300-600 kWh a year (EIA, RECS 2020), microwave, kettle and toaster together about 200.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.stock import Stock

Floats = NDArray[np.float64]

MEALS = ((0.6, 0.7, 0.65, 0.15), (5.5, 0.8, 0.45, 0.35), (11.3, 1.0, 0.75, 1.0))
"""Hours after the first gets up, scatter in hours, chance that there is one at home, size."""


def cooking_wh(rng: np.random.Generator, span: Span, occupancy: Occupancy, stock: Stock) -> Floats:
    """Energy of each slot, Wh, shape ``(n,)``."""
    energy = np.zeros(len(span) + 16)
    electric = rng.random() < stock.electric_cooking
    usual_wh = (350.0 + 180.0 * occupancy.people) * rng.lognormal(0.0, 0.4) * (1.0 if electric else 0.22)
    wake, fond = occupancy.wake.min(axis=0), rng.uniform(0.5, 1.25)
    for after, scatter, chance, size in MEALS:
        days = np.flatnonzero(rng.random(span.days) < chance * fond)
        hour = np.clip(wake[days] + after + rng.normal(rng.normal(0.0, 0.6), scatter, len(days)), 4.0, 23.5)
        row = span.day_row[days] + (2 * hour).astype(np.int64)
        wh = usual_wh * size * rng.lognormal(-0.15, 0.55, len(days))
        share = rng.uniform(0.4, 1.0, len(days))
        np.add.at(energy, row, wh * share)
        np.add.at(energy, row + 1, wh * (1 - share))
    snacks = rng.poisson(0.12 * occupancy.awake) * rng.gamma(2.0, 45.0, len(span))
    return np.where(occupancy.awake > 0, energy[: len(span)], 0.0) + snacks
