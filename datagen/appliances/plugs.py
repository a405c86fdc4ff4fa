"""Stand-by, electronics, lights, and the many small things with a plug.

Always-on power is 100-300 W in Californian homes, about a quarter of the bill (Delforge et al. 2015, NRDC, "Home idle
load", measured in Northern California).  Electronics and lights follow who is awake, and darkness; how much is on at
a time has a mood of its own that lasts for hours, and things are bought, broken and left on over months.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.units import SLOT_HOURS
from datagen.appliances.persistent import autoregressive, regimes
from datagen.occupancy import Occupancy
from datagen.span import Span
from datagen.weather import Weather

Floats = NDArray[np.float64]

TELEVISION_W = 130.0


def plugs_wh(rng: np.random.Generator, span: Span, occupancy: Occupancy, weather: Weather) -> Floats:
    """Energy of each slot, Wh, shape ``(n,)``."""
    n = len(span)
    anyone = occupancy.awake > 0
    standby_w = rng.lognormal(np.log(150.0), 0.4) * regimes(rng, span.days, 4.0, 0.2)[span.day]
    mood = np.exp(0.3 * autoregressive(rng, span.days, 0.5))[span.day]
    busy = 1 / (1 + np.exp(-1.8 * autoregressive(rng, n, 0.65)))
    person_w = rng.lognormal(np.log(92.0), 0.45)
    evening = np.where(span.hour >= 17.0, 1.3, np.where(span.hour < 9.0, 0.6, 0.95))
    electronics_w = person_w * occupancy.awake**0.7 * busy * mood * evening
    dark = np.clip(1.0 - weather.irradiance_w_m2 / 120.0, 0.08, 1.0)
    rooms = 0.35 + 0.65 * np.minimum(occupancy.awake / max(occupancy.people, 1), 1.2)
    lights_w = rng.lognormal(np.log(150.0), 0.5) * dark * rooms * anyone * rng.gamma(4.0, 0.25, n)
    uses = rng.poisson(rng.uniform(0.04, 0.2) * occupancy.awake**0.8) * rng.lognormal(np.log(110.0), 0.8, n)
    watched_w = TELEVISION_W * occupancy.event
    power_w = standby_w + electronics_w + lights_w + watched_w + _left_on_w(rng, span) + _cycling_w(rng, span)
    return power_w * SLOT_HOURS + uses


def _cycling_w(rng: np.random.Generator, span: Span) -> Floats:
    """What runs by a thermostat or a timer of its own: circulation pumps, bathroom fans, aquarium and pipe heaters."""
    running = autoregressive(rng, len(span), rng.uniform(0.2, 0.8)) > rng.normal(0.3, 0.7)
    power_w: Floats = running * rng.gamma(1.2, 110.0) * regimes(rng, span.days, 6.0, 0.5)[span.day]
    return power_w


def _left_on_w(rng: np.random.Generator, span: Span) -> Floats:
    """What stays on over a night or for weeks: a porch light, an aquarium, a heater in the garage."""
    nights = rng.random(span.days) < rng.beta(1.0, 3.0)
    night_w = np.where(nights, rng.gamma(1.5, 240.0, span.days), 0.0)
    dark = (span.hour >= 21.0) | (span.hour < 6.5)
    of_night = np.maximum(span.day - (span.hour < 12.0), 0)
    weeks_w = rng.gamma(0.8, 80.0) * (regimes(rng, span.days, 5.0, 1.0) > rng.uniform(0.8, 3.0))
    return np.asarray(np.where(dark, night_w[of_night], 0.0) + weeks_w[span.day], np.float64)
