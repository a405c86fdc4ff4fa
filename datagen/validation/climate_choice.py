"""Which climate the generated homes live in: as asked for, else as the real homes' own data tells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import norm

from common.errors import UserError
from datagen.climate import Climate, climate_of, climate_zones
from datagen.validation.population import Population
from datagen.validation.statistics import monthly_kwh_a_day
from datagen.weather import Weather, make_weather, neighbour_clouds
from datagen.weather_files import read_weather, typical_weather

Floats = NDArray[np.float64]

HEATING_BASE_C, COOLING_BASE_C = 16.0, 21.0
"""Outdoor temperatures below and above which Californian homes heat and cool: degree-days count from there."""


@dataclass(frozen=True)
class ClimateChoice:
    """A climate and why it was taken.

    Attributes:
        zone: building climate zone, or empty where a weather file is taken.
        file: weather file, or None.
        reason: for people.
    """

    zone: str
    file: Path | None
    reason: str


def choose_climate(asked: str, source: str, real: Population) -> ClimateChoice:
    """Climate of the generated homes.

    Args:
        asked: a zone, a weather file, or empty to choose by the data.
        source: of the real homes; an EPW file in their folder is taken for their weather.
        real: the real homes.

    Raises:
        UserError: an unknown zone.
    """
    if asked:
        file = Path(asked)
        if file.is_file():
            return ClimateChoice("", file, "asked for")
        return ClimateChoice(climate_of(asked).zone, None, "asked for")
    files = sorted(Path(source).glob("*.epw")) if Path(source).is_dir() else []
    if files:
        return ClimateChoice("", files[0], "the weather file beside the homes")
    explained = {zone: explained_share(real, climate_of(zone)) for zone in climate_zones()}
    ranked = sorted(explained, key=lambda zone: -explained[zone])
    best = ranked[0]
    also = ", ".join(f"{zone} {explained[zone]:.0%}" for zone in ranked[1:4])
    reason = (
        f"its degree-days explain the homes' energy by month best ({explained[best]:.0%} of the variance; next: {also})"
    )
    return ClimateChoice(best, None, reason)


def weather_of(choice: ClimateChoice, seed: int, slots: range) -> tuple[Weather, str]:
    """Weather for the generated homes, and a word on it: drawn from a zone's climate, or out of a file.

    A file that holds the very dates is taken as observed, else its year is laid over ``slots``.

    Raises:
        UserError: a bad file.
    """
    if choice.file is None:
        climate = climate_of(choice.zone)
        return make_weather(seed, slots, climate), f"zone {choice.zone} ({climate.site.name})"
    try:
        weather, how = read_weather(str(choice.file), slots), "observed on these days"
    except UserError:
        weather, how = typical_weather(str(choice.file), slots), "its year laid over these days"
    clouds = neighbour_clouds(seed, weather.clear_index)
    return replace(weather, waves=clouds), f"{choice.file.name}, {how}"


def explained_share(real: Population, climate: Climate) -> float:
    """Share of the variance of the homes' monthly energy that a base load and the climate's degree-days explain.

    Least squares with coefficients that are not negative (Lawson and Hanson 1974); months without data are left out.
    """
    energy = monthly_kwh_a_day(real)
    known = np.isfinite(energy)
    heating, cooling = degree_days(climate)
    columns = np.stack([np.ones(12), heating, cooling], axis=1)[known]
    _, residual = nnls(columns, energy[known])
    total = float(np.sum((energy[known] - energy[known].mean()) ** 2))
    return 1.0 - float(residual) ** 2 / total if total > 0 else 0.0


def degree_days(climate: Climate) -> tuple[Floats, Floats]:
    """Mean degree-days a day for heating and for cooling, C, by month; shape ``(12,)`` each.

    Expected over the sinusoidal course of the mean day and normal deviations of whole days from it.
    """
    course = np.cos(2 * np.pi * (np.arange(24) + 0.5) / 24)
    deviation = norm.ppf((np.arange(15) + 0.5) / 15)
    low_c, high_c, anomaly_c = (np.array(m)[:, None, None] for m in (climate.low_c, climate.high_c, climate.anomaly_c))
    outside_c = (low_c + high_c) / 2 + (high_c - low_c) / 2 * course[:, None] + anomaly_c * deviation
    heating = np.maximum(HEATING_BASE_C - outside_c, 0.0).mean(axis=(1, 2))
    cooling = np.maximum(outside_c - COOLING_BASE_C, 0.0).mean(axis=(1, 2))
    return heating, cooling
