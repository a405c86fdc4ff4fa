"""Electric water heater: showers, baths and taps draw hot water, and an element or a heat pump refills the tank.

Draw volumes and times follow Hendron and Burch 2008 (NREL/CP-550-40874): per person about 55 l of mixed water for a
shower on four days of five, at a person's own time of day, and taps while someone is awake.  The mains get colder in
winter (Burch and Christensen 2007).  A hybrid heater helps itself with its element after big draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS
from datagen.appliances.queue import served_wh
from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.stock import Stock

Floats = NDArray[np.float64]

WH_PER_LITRE_C = 1.163
MIXED_C = 40.5
ELEMENT_W, HEAT_PUMP_W = 4500.0, 480.0
TIMER_SHARE = 0.35
"""Share of heat pumps that a timer keeps to the middle of the day, off the peak prices and on the sun."""


def hot_water_wh(rng: np.random.Generator, span: Span, occupancy: Occupancy, stock: Stock) -> Floats:
    """Energy of each slot, Wh, shape ``(n,)``; zero where gas heats the water."""
    electric, is_heat_pump = rng.random() < stock.electric_water, rng.random() < stock.heat_pump_water
    cop, hybrid = rng.uniform(2.3, 3.4), rng.random() < 0.4
    standing_wh = rng.uniform(50.0, 110.0) * SLOT_HOURS
    mains_c = rng.uniform(16.0, 19.0) - 4.5 * np.cos(2 * np.pi * (span.day_of_year - 35) / 365.25)
    heat_wh = _mixed_litres(rng, span, occupancy) * WH_PER_LITRE_C * (MIXED_C - mains_c) + standing_wh
    if not electric:
        return np.zeros(len(span))
    if not is_heat_pump:
        return served_wh(heat_wh / 0.97, ELEMENT_W * SLOT_HOURS)
    big = np.where(hybrid, np.maximum(heat_wh - rng.uniform(2500.0, 4500.0), 0.0), 0.0)
    element_wh = served_wh(big, ELEMENT_W * SLOT_HOURS)
    by_timer = rng.random() < TIMER_SHARE
    begin_h = rng.uniform(8.5, 11.5)
    runs = (span.hour >= begin_h) & (span.hour < 15.5) if by_timer else np.ones(len(span), np.bool_)
    return served_wh((heat_wh - big) / cop, np.where(runs, HEAT_PUMP_W * SLOT_HOURS, 0.0)) + element_wh


def _mixed_litres(rng: np.random.Generator, span: Span, occupancy: Occupancy) -> Floats:
    litres = np.zeros(len(span) + 8)
    there = ~occupancy.travelling
    for person in range(occupancy.people):
        in_the_morning, often = rng.random() < 0.4, rng.uniform(0.55, 0.98)
        usual = rng.uniform(20.0, 65.0)
        since = rng.exponential(rng.uniform(0.4, 1.2), span.days)
        hour = occupancy.wake[person] + since if in_the_morning else occupancy.sleep[person] - 0.6 - 2 * since
        days = np.flatnonzero((rng.random(span.days) < often) & there)
        row = span.day_row[days] + (np.minimum(hour[days], 23.9) / SLOT_HOURS).astype(np.int64)
        np.add.at(litres, row, usual * rng.lognormal(-0.05, 0.3, len(days)))
    taps = rng.poisson(occupancy.awake * rng.uniform(0.25, 0.7)) * rng.gamma(1.2, 5.0, len(span))
    return litres[: len(span)] + taps
