"""Statistics of homes, each a figure (or a profile) per home, and of the community as a whole.

Only metered steps count.  Levels and ramps are relative to the home's own mean, so that a big home and a small one are
comparable; yearly energy, base load and peak keep their units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from datagen.validation.population import Population

Floats = NDArray[np.float64]

HOURS_PER_YEAR = 8760.0
SEASONS = {"winter": (12, 1, 2), "spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11)}
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
RAMPS = (0.5, 0.9, 0.99)
DAYTIMES = {"night": (0, 6), "morning": (6, 10), "midday": (10, 16), "evening": (16, 21), "late evening": (21, 24)}


@dataclass(frozen=True)
class Statistic:
    """A figure of each home.

    Attributes:
        name: for people.
        unit: of the values; empty for a ratio.
        of: values by home, shape ``(h,)``; NaN where it does not apply.
    """

    name: str
    unit: str
    of: Callable[[Population], Floats]


def power_kw(population: Population) -> Floats:
    """Mean power of each step, kW; shape ``(h, n)``."""
    return population.load_kwh / population.axis.step_hours


def yearly_kwh(population: Population) -> Floats:
    """Energy a year at the mean metered power."""
    return population.mean_kwh / population.axis.step_hours * HOURS_PER_YEAR


def peak_kw(population: Population) -> Floats:
    """Highest mean power of a step."""
    return np.asarray(np.nanmax(power_kw(population), axis=1))


def load_factor(population: Population) -> Floats:
    """Mean over highest load, 0 .. 1."""
    return np.asarray(population.mean_kwh / np.nanmax(population.load_kwh, axis=1))


def daily_peak(population: Population) -> Floats:
    """Highest step of a whole day over the home's mean, averaged over days."""
    return np.asarray(np.nanmean(population.days_kwh.max(axis=2), axis=1) / population.mean_kwh)


def daily_trough(population: Population) -> Floats:
    """Lowest step of a whole day over the home's mean, averaged over days."""
    return np.asarray(np.nanmean(population.days_kwh.min(axis=2), axis=1) / population.mean_kwh)


def base_load_kw(population: Population) -> Floats:
    """Power that is exceeded 95 % of the time."""
    return np.asarray(np.nanquantile(power_kw(population), 0.05, axis=1))


def level(population: Population, quantile: float) -> Floats:
    """Quantile of the load over the home's mean."""
    return np.asarray(np.nanquantile(population.load_kwh, quantile, axis=1) / population.mean_kwh)


def ramps(population: Population) -> Floats:
    """Change from step to step over the home's mean; shape ``(h, n - 1)``, NaN beside a gap."""
    return np.asarray(np.diff(population.load_kwh, axis=1) / population.mean_kwh[:, None])


def ramp_std(population: Population) -> Floats:
    """Standard deviation of the ramps."""
    return np.asarray(np.nanstd(ramps(population), axis=1))


def ramp(population: Population, quantile: float) -> Floats:
    """Quantile of the absolute ramps."""
    return np.asarray(np.nanquantile(np.abs(ramps(population)), quantile, axis=1))


def autocorrelation(population: Population, lag_steps: int) -> Floats:
    """Autocorrelation at a lag: mean product of deviations over the variance, both over metered steps; NaN if flat."""
    deviation = population.load_kwh - population.mean_kwh[:, None]
    product = deviation[:, lag_steps:] * deviation[:, : deviation.shape[1] - lag_steps]
    variance = _nanmean(deviation**2)
    return np.asarray(_nanmean(product) / np.where(variance > 0, variance, np.nan))


def time_share(population: Population, chosen: NDArray[np.bool_]) -> Floats:
    """Mean load over the chosen steps, over the home's mean; 1 where the time makes no difference."""
    if not chosen.any():
        return np.full(len(population), np.nan)
    return np.asarray(_nanmean(population.load_kwh[:, chosen]) / population.mean_kwh)


def daily_kwh(population: Population) -> Floats:
    """Energy of each whole ordinary day; shape ``(h, days)``, NaN where a step is missing."""
    return np.asarray(population.days_kwh.sum(axis=2))


def day_to_day(population: Population) -> Floats:
    """Mean absolute change of daily energy from one day to the next, over the mean daily energy."""
    daily = daily_kwh(population)
    return np.asarray(_nanmean(np.abs(np.diff(daily, axis=1))) / _nanmean(daily))


def daily_spread(population: Population) -> Floats:
    """Standard deviation of daily energy over its mean."""
    daily = daily_kwh(population)
    return np.asarray(np.nanstd(daily, axis=1) / _nanmean(daily))


def shape_change(population: Population) -> Floats:
    """How unlike two successive days are: half the sum of absolute differences of their shares by step, 0 .. 1."""
    share = population.days_kwh / population.days_kwh.sum(axis=2, keepdims=True)
    return np.asarray(_nanmean(np.abs(np.diff(share, axis=1)).sum(axis=2) / 2))


def weekend_over_workday(population: Population) -> Floats:
    """Mean load of weekends and holidays over that of workdays."""
    workday = population.axis.workday
    return time_share(population, ~workday) / time_share(population, workday)


def solar_yield(population: Population) -> Floats:
    """Solar energy a year per rated power, kWh/kW; NaN without solar."""
    per_hour = _nanmean(population.pv_kwh) / population.axis.step_hours
    rated = np.where(population.pv_kw > 0, population.pv_kw, np.nan)
    return np.asarray(per_hour * HOURS_PER_YEAR / rated)


def statistics_of(step_slots: int) -> list[Statistic]:
    """All statistics of homes, for steps of ``step_slots`` half-hours."""
    per_day = 48 // step_slots
    table = [
        Statistic("energy a year", "kWh", yearly_kwh),
        Statistic("peak", "kW", peak_kw),
        Statistic("base load (5 % quantile)", "kW", base_load_kw),
        Statistic("load factor", "", load_factor),
        Statistic("daily peak / mean", "", daily_peak),
        Statistic("daily trough / mean", "", daily_trough),
    ]
    for name, months in SEASONS.items():
        table.append(Statistic(f"{name} / mean", "", _of_months(months)))
    for name, (begin, end) in DAYTIMES.items():
        table.append(Statistic(f"{name} ({begin}-{end} h) / mean", "", _of_hours(begin, end)))
    table.append(Statistic("weekend / workday", "", weekend_over_workday))
    lags = {f"autocorrelation, {30 * step_slots} min": 1, "autocorrelation, 1 day": per_day,
            "autocorrelation, 1 week": 7 * per_day}  # fmt: skip
    table += [Statistic(name, "", partial(autocorrelation, lag_steps=lag)) for name, lag in lags.items()]
    table += [Statistic(f"level, {q:.0%} quantile / mean", "", partial(level, quantile=q)) for q in LEVELS]
    table.append(Statistic("ramp, standard deviation / mean", "", ramp_std))
    table += [Statistic(f"|ramp|, {q:.0%} quantile / mean", "", partial(ramp, quantile=q)) for q in RAMPS]
    table += [
        Statistic("day-to-day change of energy / mean", "", day_to_day),
        Statistic("spread of daily energy / mean", "", daily_spread),
        Statistic("day-to-day change of shape", "", shape_change),
        Statistic("solar yield a year", "kWh/kW", solar_yield),
    ]
    return table


def month_profile(population: Population) -> Floats:
    """Mean load of each month over the home's mean; shape ``(h, 12)``, NaN for a month without data."""
    return np.stack([time_share(population, population.axis.month == month) for month in range(1, 13)], axis=1)


def hour_profile(population: Population, workdays: bool) -> Floats:
    """Mean load of each hour of workdays (or of weekends and holidays) over the home's mean; shape ``(h, 24)``."""
    hour, chosen = np.floor(population.axis.hour), population.axis.workday == workdays
    return np.stack([time_share(population, chosen & (hour == k)) for k in range(24)], axis=1)


def solar_profile(population: Population) -> Floats:
    """Solar energy a day per rated power in each month, kWh/kW; shape ``(h, 12)``, NaN without solar."""
    rated = np.where(population.pv_kw > 0, population.pv_kw, np.nan)
    columns = []
    for month in range(1, 13):
        chosen = population.axis.month == month
        mean = _nanmean(population.pv_kwh[:, chosen]) if chosen.any() else np.full(len(population), np.nan)
        columns.append(mean * population.axis.day_steps / rated)
    return np.stack(columns, axis=1)


def coincidence(population: Population, sizes: range, seed: int, draws: int = 60) -> Floats:
    """Peak of the sum over the sum of peaks (the inverse of the diversity factor) of ``draws`` groups of each size.

    A group's peaks are taken over the steps that all of its homes have metered.

    Returns:
        Shape ``(len(sizes), draws)``, 0 .. 1; 1 for homes that peak together.
    """
    rng = np.random.default_rng(seed)
    found = np.empty((len(sizes), draws))
    for row, size in enumerate(sizes):
        for draw in range(draws):
            group = population.load_kwh[rng.choice(len(population), size, replace=False)]
            total = group.sum(axis=0)
            found[row, draw] = np.nanmax(total) / group[:, np.isfinite(total)].max(axis=1).sum()
    return found


def _nanmean(values: Floats) -> Floats:
    """Mean over the last axis; NaN, without a warning, where there is nothing."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def _of_months(months: tuple[int, ...]) -> Callable[[Population], Floats]:
    return lambda population: time_share(population, np.isin(population.axis.month, months))


def _of_hours(begin: int, end: int) -> Callable[[Population], Floats]:
    return lambda population: time_share(population, (population.axis.hour >= begin) & (population.axis.hour < end))
