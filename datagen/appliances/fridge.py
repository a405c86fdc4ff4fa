"""Refrigerator, and in some homes a second one or a freezer.

A compressor runs a share of each cycle, a larger one in a warm room, and a defrost heater runs every half day or day.
Mean powers span what such machines take: 300-630 kWh a year for the one in the kitchen, up to 830 for an old second one
in the garage (EIA, RECS 2020); cycles as in Richardson et al. 2010 (doi:10.1016/j.enbuild.2010.05.023).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS
from datagen.span import Span
from datagen.weather import Weather

Floats = NDArray[np.float64]

SECOND_SHARE = 0.35
"""Share of homes with a second refrigerator or a freezer."""


def fridge_wh(rng: np.random.Generator, span: Span, weather: Weather) -> Floats:
    """Energy of each slot, Wh, shape ``(n,)``."""
    kitchen_c = np.clip(21.0 + 0.25 * (weather.temperature_c - 18.0), 18.0, 29.0)
    energy = _compressor_wh(rng, kitchen_c, rng.uniform(35.0, 72.0))
    second = rng.random() < SECOND_SHARE
    garage_c = np.clip(weather.temperature_c + 2.0, 8.0, 36.0)
    extra = _compressor_wh(rng, garage_c, rng.uniform(35.0, 95.0))
    return energy + extra if second else energy


def _compressor_wh(rng: np.random.Generator, room_c: Floats, mean_w: float) -> Floats:
    """A compressor of ``mean_w`` at 22 C: on for a share of each cycle of 40 to 70 minutes."""
    n = len(room_c)
    running_w, cycle_h = mean_w * rng.uniform(1.7, 3.0), rng.uniform(0.65, 1.2)
    duty = np.clip(mean_w / running_w * (1 + 0.035 * (room_c - 22.0)), 0.1, 0.97)
    steps = SLOT_HOURS / cycle_h * rng.uniform(0.85, 1.15, n)
    phase = rng.random() + np.concatenate(([0.0], np.cumsum(steps)))
    begun, ended = (np.floor(p) * duty + np.minimum(p % 1, duty) for p in (phase[:-1], phase[1:]))
    defrost_wh = np.zeros(n)
    every = int(rng.integers(20, 50))
    defrost_wh[int(rng.integers(0, every)) :: every] = rng.uniform(60.0, 130.0)
    return running_w * cycle_h * (ended - begun) + defrost_wh
