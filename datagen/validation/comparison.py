"""Statistics of generated homes beside those of real ones, each with a verdict.

Verdicts.  With fewer than a dozen real homes no test of equal distributions has any power, and a mean over them says
little.  What can be said honestly is whether the generator's typical home is one that could be among them: the median
over the generated homes lies between the least and the greatest of the real homes.  The spread (10 % to 90 % of the
generated homes) stands beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from datagen.validation.population import Population
from datagen.validation.statistics import hour_profile, month_profile, solar_profile, statistics_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """A statistic of real and generated homes.

    Attributes:
        inside: the generated median lies within the real homes' least and greatest.
    """

    name: str
    unit: str
    real_min: float
    real_median: float
    real_max: float
    generated_p10: float
    generated_median: float
    generated_p90: float
    inside: bool


@dataclass(frozen=True)
class Profile:
    """A profile (by hour, by month) of real and generated homes; arrays of shape ``(k,)``, NaN where there is no data.

    Attributes:
        labels: of the ``k`` points.
        inside: where the generated median lies within the real homes' range.
    """

    name: str
    unit: str
    labels: tuple[str, ...]
    real_min: Floats
    real_median: Floats
    real_max: Floats
    generated_p10: Floats
    generated_median: Floats
    generated_p90: Floats
    inside: NDArray[np.bool_]


def compare(real: Population, generated: Population) -> list[Comparison]:
    """Every statistic of both populations; those that do not apply to either side (no solar) are left out."""
    assert real.axis.slots == generated.axis.slots and real.axis.step_slots == generated.axis.step_slots
    rows = []
    for statistic in statistics_of(real.axis.step_slots):
        known = [values[np.isfinite(values)] for values in (statistic.of(real), statistic.of(generated))]
        if not len(known[0]) or not len(known[1]):
            continue
        low, middle, high = np.quantile(known[0], (0.0, 0.5, 1.0)).tolist()
        p10, median, p90 = np.quantile(known[1], (0.1, 0.5, 0.9)).tolist()
        inside = bool(low <= median <= high)
        rows.append(Comparison(statistic.name, statistic.unit, low, middle, high, p10, median, p90, inside))
    return rows


def profiles(real: Population, generated: Population) -> list[Profile]:
    """Profiles by month and by hour (workdays, weekends), over each home's mean; solar by month in kWh/kW a day."""
    hours = tuple(f"{hour:02d}" for hour in range(24))
    months = tuple(str(month) for month in range(1, 13))
    table = [
        _profile("load by month", "of the mean", months, month_profile, real, generated),
        _profile("load by hour, workdays", "of the mean", hours, partial(hour_profile, workdays=True), real, generated),
        _profile(
            "load by hour, weekends", "of the mean", hours, partial(hour_profile, workdays=False), real, generated
        ),
    ]
    if (real.pv_kw > 0).any() and (generated.pv_kw > 0).any():
        table.append(_profile("solar yield by month", "kWh/kW a day", months, solar_profile, real, generated))
    return table


def _profile(
    name: str,
    unit: str,
    labels: tuple[str, ...],
    of: Callable[[Population], Floats],
    real: Population,
    generated: Population,
) -> Profile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a month without data is NaN in all homes
        low, middle, high = np.nanquantile(of(real), (0.0, 0.5, 1.0), axis=0)
        p10, median, p90 = np.nanquantile(of(generated), (0.1, 0.5, 0.9), axis=0)
    return Profile(name, unit, labels, low, middle, high, p10, median, p90, (median >= low) & (median <= high))
