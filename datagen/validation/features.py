"""What the forecaster of :mod:`datagen.validation.forecast` sees: the home's own past and the calendar.

Everything is relative to the home's mean over the 28 days before the origin, so that one model serves all homes.
Weather is no input: that of real homes is often not their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datagen.validation.population import Axis, Population

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCALE_DAYS = 28
ORIGIN_EVERY_HOURS = 6
LAG_DAYS = (1, 2, 3, 4, 5, 6, 7, 14)
PROFILE_DECAY = 0.9
"""A day's weight in the profile of past days, over that of the day after it."""


@dataclass(frozen=True)
class Samples:
    """Rows of a forecaster: each a home, an origin and a lead.

    Attributes:
        features: shape ``(rows, features)``; NaN where the past holds nothing.
        target: load over scale; shape ``(rows,)``.
        scale_kw: mean power over the 28 days before the origin.
        home: row of the home in its population.
        naive: loads of a day and of a week before the target, over scale; shape ``(rows, 2)``.
    """

    features: Floats
    target: Floats
    scale_kw: Floats
    home: Ints
    naive: Floats

    def __len__(self) -> int:
        return len(self.target)

    def of(self, rows: NDArray[np.generic]) -> Samples:
        """Some rows, by number or mask."""
        return Samples(
            self.features[rows], self.target[rows], self.scale_kw[rows], self.home[rows], self.naive[rows]
        )  # fmt: skip


def origins_of(axis: Axis) -> Ints:
    """Steps at which forecasts begin, every few hours from when the past is long enough; a whole day must follow."""
    every = round(ORIGIN_EVERY_HOURS / axis.step_hours)
    return np.arange(SCALE_DAYS * axis.day_steps, len(axis) - axis.day_steps + 1, every)


def features_of(load_kwh: Floats, axis: Axis, origins: Ints) -> tuple[Floats, Floats]:
    """Inputs of day-ahead forecasts; nothing of step ``origin`` or later is read from ``load_kwh``.

    Args:
        load_kwh: loads of homes, NaN where not metered; shape ``(h, n)``.
        axis: of the ``n`` steps.
        origins: first step of each forecast.

    Returns:
        Features, shape ``(h, origins, day_steps, features)``, and scales in kWh, shape ``(h, origins)``.
    """
    homes, day = len(load_kwh), axis.day_steps
    target = origins[:, None] + np.arange(day)
    scale = _trailing_mean(load_kwh, SCALE_DAYS * day)[:, origins]
    shape = (homes, *target.shape)

    def by_lead(values: Floats) -> Floats:
        """A value by target in units of the scale."""
        return values / scale[:, :, None]

    columns = [by_lead(load_kwh[:, target - lag * day]) for lag in LAG_DAYS]
    profile = _past_profile(load_kwh, day)
    columns.append(by_lead(profile[:, target - day]))
    for back in (1, 2, 3):
        columns.append(np.broadcast_to((load_kwh[:, origins - back] / scale)[:, :, None], shape))
    for hours in (6, 24):
        steps = round(hours / axis.step_hours)
        recent = _trailing_mean(load_kwh, steps)[:, origins] / scale
        columns.append(np.broadcast_to(recent[:, :, None], shape))
    profile_before = np.concatenate([np.full((homes, day), np.nan), profile[:, :-day]], axis=1)
    expected = _trailing_mean(profile_before, round(6 / axis.step_hours))[:, origins] / scale
    columns.append(np.broadcast_to(expected[:, :, None], shape))
    calendar = (axis.hour, axis.weekday, axis.month, axis.holiday, axis.workday)
    columns += [np.broadcast_to(values[target].astype(np.float64), shape) for values in calendar]
    columns.append(np.broadcast_to(np.arange(day, dtype=np.float64), shape))
    return np.stack(columns, axis=3), scale


def samples_of(population: Population, origins: Ints) -> Samples:
    """Rows of all homes at ``origins`` whose target and scale are known."""
    axis = population.axis
    features, scale = features_of(population.load_kwh, axis, origins)
    homes, shape = len(population), features.shape[:3]
    target_step = origins[:, None] + np.arange(axis.day_steps)

    def flat(values: Floats) -> Floats:
        return np.broadcast_to(values, shape).reshape(-1)

    loads = [population.load_kwh[:, target_step - lag * axis.day_steps] for lag in (0, 1, 7)]
    target, yesterday, last_week = (flat(values / scale[:, :, None]) for values in loads)
    home = np.repeat(np.arange(homes), shape[1] * shape[2])
    naive = np.stack([yesterday, last_week], axis=1)
    rows = Samples(features.reshape(len(home), -1), target, flat(scale[:, :, None] / axis.step_hours), home, naive)
    return rows.of(np.isfinite(target))


def _trailing_mean(values: Floats, steps: int) -> Floats:
    """Mean of the ``steps`` values before each step, NaN left out; shape ``(h, n + 1)``, NaN without any value."""
    known = np.isfinite(values)
    start = np.zeros((len(values), 1))
    total = np.concatenate([start, np.cumsum(np.where(known, values, 0.0), axis=1)], axis=1)
    count = np.concatenate([start, np.cumsum(known, axis=1)], axis=1)
    for running in (total, count):
        running[:, steps:] -= running[:, :-steps].copy()
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _past_profile(load_kwh: Floats, day: int) -> Floats:
    """Weighted mean of a step and the same step of the days before it, recent days weighing more; shape ``(h, n)``."""
    homes, steps = load_kwh.shape
    padded = np.full((homes, -(-steps // day) * day), np.nan)
    padded[:, :steps] = load_kwh
    by_day = padded.reshape(homes, -1, day)
    known = np.isfinite(by_day)
    total, weight = np.where(known, by_day, 0.0), known.astype(np.float64)
    for row in range(1, by_day.shape[1]):
        total[:, row] += PROFILE_DECAY * total[:, row - 1]
        weight[:, row] += PROFILE_DECAY * weight[:, row - 1]
    profile = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return np.asarray(profile.reshape(homes, -1)[:, :steps])
