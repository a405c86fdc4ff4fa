"""Which climate the generated homes live in and what they are made of: as asked for, else as the real homes tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from datagen.climate import climate_of, climate_zones
from datagen.stock import CALIFORNIA, Stock, stock_of
from datagen.validation.population import Population, generated_population
from datagen.validation.statistics import month_profile, solar_profile
from datagen.weather import Weather, make_weather, neighbour_clouds
from datagen.weather_files import read_weather, typical_weather

Floats = NDArray[np.float64]

ELECTRIC_HEATING_RATIO = 1.3
TRIAL_HOMES = 8


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


def choose_climate(asked: str, source: str, real: Population, stock: Stock = CALIFORNIA) -> ClimateChoice:
    """Climate of the generated homes.

    Args:
        asked: a zone, a weather file, or empty to choose by the data.
        source: of the real homes; an EPW file in their folder is taken for their weather.
        real: the real homes.
        stock: of the generated homes.

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
    misfit = {zone: zone_misfit(real, zone, stock) for zone in climate_zones()}
    ranked = sorted(misfit, key=lambda zone: misfit[zone])
    also = ", ".join(f"{zone} {misfit[zone]:.2f}" for zone in ranked[1:4])
    reason = f"homes generated there have the most alike year (misfit {misfit[ranked[0]]:.2f}; next: {also})"
    return ClimateChoice(ranked[0], None, reason)


def zone_misfit(real: Population, zone: str, stock: Stock) -> float:
    """How far the year of a few homes generated in a zone is from that of the real homes.

    Mean over: root mean square differences of energy by month over the mean (median homes), the same of solar yield,
    and the logarithm of the ratio of yearly energies.
    """
    slots = real.axis.slots
    solar = bool((real.pv_kw > 0).any())
    made = generated_population(real.axis, TRIAL_HOMES, 0, make_weather(0, slots, climate_of(zone)), solar, stock)
    parts = [_difference(month_profile(real), month_profile(made))]
    parts.append(abs(float(np.log(np.median(real.mean_kwh) / np.median(made.mean_kwh)))))
    if solar:
        parts.append(_difference(*(_over_mean(solar_profile(side)) for side in (real, made))))
    return float(np.mean(parts))


def _difference(real: Floats, made: Floats) -> float:
    gap = np.nanmedian(real, axis=0) - np.nanmedian(made, axis=0)
    return float(np.sqrt(np.nanmean(gap**2)))


def _over_mean(profile: Floats) -> Floats:
    """Profiles of the homes that have one, over their means."""
    some = profile[np.isfinite(profile).any(axis=1)]
    return np.asarray(some / np.nanmean(some, axis=1, keepdims=True))


def choose_stock(asked: str, real: Population) -> tuple[str, str]:
    """Housing stock of the generated homes, by name, and why.

    Args:
        asked: a name, or empty to choose by the data: homes whose winter nights take clearly more than those of
            spring are heated by electricity.
        real: the real homes.

    Raises:
        UserError: an unknown stock.
    """
    if asked:
        stock_of(asked)
        return asked, "asked for"
    ratio = winter_night_ratio(real)
    name = "all-electric" if ratio > ELECTRIC_HEATING_RATIO else "california"
    return name, f"winter nights of the median home take {ratio:.1f} times those of spring"


def winter_night_ratio(real: Population) -> float:
    """Median over homes of their load from 1 to 5 h in December to February over that in April and May; NaN without."""
    night = (real.axis.hour >= 1) & (real.axis.hour < 5)
    winter, spring = (night & np.isin(real.axis.month, months) for months in ((12, 1, 2), (4, 5)))
    if not winter.any() or not spring.any():
        return float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.nanmean(real.load_kwh[:, winter], axis=1) / np.nanmean(real.load_kwh[:, spring], axis=1)
    return float(np.nanmedian(ratio))


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
