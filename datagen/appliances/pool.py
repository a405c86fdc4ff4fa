"""Pool pump: an old one of a single speed for some hours, or a slow one of variable speed for most of the day.

A single-speed pump takes 1-1.8 kW, a variable-speed one 0.2-0.6 kW; together about 1,500-2,500 kWh a year (CEC, RASS
2019, end use "swimming pool").  It runs longer in the bathing season.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS
from datagen.span import Span
from datagen.stock import Stock

Floats = NDArray[np.float64]


def pool_wh(rng: np.random.Generator, span: Span, stock: Stock) -> Floats:
    """Energy of each slot, Wh, shape ``(n,)``; zero without a pool."""
    has, variable = rng.random() < stock.pool, rng.random() < 0.5
    power_w, summer_h = (rng.uniform(200.0, 600.0), 12.0) if variable else (rng.uniform(1000.0, 1800.0), 6.0)
    begin_h = float(rng.choice([0.0, 8.0, 9.0, 10.0, 20.0])) + rng.uniform(0.0, 1.0)
    length_h = np.where((span.month >= 5) & (span.month <= 9), summer_h, summer_h / 2)
    since_h = (span.hour - begin_h) % 24.0
    running = np.clip(length_h - since_h, 0.0, SLOT_HOURS)
    return running * power_w if has else np.zeros(len(span))
