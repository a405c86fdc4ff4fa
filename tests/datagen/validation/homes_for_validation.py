"""Small hand-made populations."""

from datetime import date, timedelta

import numpy as np

from common.clock import day_slots
from datagen.validation.population import Axis, Population


def axis_of(days=60, step_slots=2, first=date(2017, 6, 1)) -> Axis:
    return Axis.of(range(day_slots(first).start, day_slots(first + timedelta(days=days)).start), step_slots)


def population(load_kwh, axis, name="real", pv_kwh=None, pv_kw=0.0) -> Population:
    load = np.atleast_2d(np.asarray(load_kwh, np.float64))
    ids = tuple(f"{name}-{row}" for row in range(len(load)))
    pv = np.zeros_like(load) if pv_kwh is None else np.atleast_2d(pv_kwh)
    return Population(name, axis, ids, load, pv, np.full(len(load), pv_kw))


def noisy_homes(axis, homes, seed, name="real", evening=1.0) -> Population:
    """Homes with a daily course, a size of their own and noise; ``evening`` scales the load from 18 h on."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0.0, 0.2, (homes, 1))
    course = 0.5 + 0.4 * np.sin(2 * np.pi * (axis.hour - 12) / 24) ** 2
    course = np.where(axis.hour >= 18, course * evening, course)
    return population(size * course * rng.gamma(4.0, 0.25, (homes, len(axis))), axis, name)
