"""Random streams: one per (seed, home, purpose), so that no draw depends on another home or on another appliance.

Streams are NumPy ``SeedSequence`` children by entropy, see https://numpy.org/doc/stable/reference/random/parallel.html.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for. Numbers are part of the data: never reuse or renumber; 0 is not used."""

    WEATHER = 1
    HEAT_WAVES = 2
    WEATHER_FORECAST = 3
    SOLAR_CHOICE = 4
    ARCHETYPE = 10
    OCCUPANCY = 11
    FRIDGE = 12
    HVAC = 13
    EV = 14
    WATER_HEATER = 15
    LAUNDRY = 16
    PLUGS = 17
    SOLAR = 18
    COOKING = 19
    POOL = 20
    THERMOSTAT = 21


def community_stream(seed: int, purpose: Purpose, *key: int) -> np.random.Generator:
    """Generator of something that the whole community shares; ``key`` tells apart parts of it (a year)."""
    return np.random.default_rng(np.random.SeedSequence([seed, purpose, *key]))


def home_stream(seed: int, index: int, purpose: Purpose) -> np.random.Generator:
    """Generator of home ``index``; the same whatever the number of homes."""
    return np.random.default_rng(np.random.SeedSequence([seed, 1_000_000 + index, purpose]))
