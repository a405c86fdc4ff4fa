"""Climates of California: the sixteen building climate zones of the Energy Commission, from a data file.

``climates/california.json`` says for each zone where every figure is from, and which are estimates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from common.errors import UserError
from datagen.site import Site

Months = tuple[float, ...]
"""Twelve values, January first."""

DEFAULT_ZONE = "12"


@dataclass(frozen=True)
class HeatWaves:
    """Spells of heat.

    Attributes:
        first_day, last_day: of the season in which they begin, day of the year.
        per_year: least and most a year.
        peak_c: least and most above normal, C.
        forced_peak_c: of one that a scenario asks for.
    """

    first_day: int
    last_day: int
    per_year: tuple[int, int]
    peak_c: tuple[float, float]
    forced_peak_c: float


@dataclass(frozen=True)
class Climate:
    """What weather is drawn from.

    Attributes:
        zone: ``1`` to ``16``.
        site: the representative station.
        low_c, high_c: lowest and highest hour of the month's mean day.
        warmest_hour: when that highest hour is, standard time.
        dew_point_c: monthly mean.
        anomaly_c: standard deviation of what persists over days around the seasonal mean.
        clear_sky_index: irradiation over that of a cloudless sky, monthly mean.
        marine_layer: share of mornings under stratus that burns off.
        burn_off_hour: mean hour when it does, standard time.
        wind_m_s: monthly mean.
        breeze_swing: (most - least) / mean of the wind in a mean day of July.
        breeze_hour: when the wind is strongest, standard time.
        heat_waves: spells of heat.
        source: where the figures are from.
    """

    zone: str
    site: Site
    low_c: Months
    high_c: Months
    warmest_hour: float
    dew_point_c: Months
    anomaly_c: Months
    clear_sky_index: Months
    marine_layer: Months
    burn_off_hour: float
    wind_m_s: Months
    breeze_swing: float
    breeze_hour: float
    heat_waves: HeatWaves
    source: str


def climate_of(zone: str) -> Climate:
    """Climate of a building climate zone, ``"1"`` to ``"16"``.

    Raises:
        UserError: no such zone; the text lists them.
    """
    climates = _climates()
    found = climates.get(zone.strip())
    if found is None:
        known = ", ".join(f"{climate.zone} {climate.site.name}" for climate in climates.values())
        raise UserError(f"climate '{zone}' is no zone of California and no weather file; zones: {known}")
    return found


def climate_zones() -> tuple[str, ...]:
    """All zones, ``"1"`` to ``"16"``."""
    return tuple(_climates())


@lru_cache(maxsize=1)
def _climates() -> dict[str, Climate]:
    text = files("datagen.climates").joinpath("california.json").read_text(encoding="utf-8")
    return {zone: _climate(zone, entry) for zone, entry in json.loads(text)["zones"].items()}


def _climate(zone: str, entry: dict[str, object]) -> Climate:
    def number(name: str) -> float:
        value = entry[name]
        assert isinstance(value, int | float)
        return float(value)

    def months(name: str) -> Months:
        values = entry[name]
        assert isinstance(values, list) and len(values) == 12
        return tuple(float(value) for value in values)

    waves = entry["heat_waves"]
    assert isinstance(waves, dict)
    return Climate(
        zone=zone,
        site=Site(str(entry["city"]), number("latitude_deg"), number("longitude_deg"), number("altitude_m")),
        low_c=months("low_c"),
        high_c=months("high_c"),
        warmest_hour=number("warmest_hour"),
        dew_point_c=months("dew_point_c"),
        anomaly_c=months("anomaly_c"),
        clear_sky_index=months("clear_sky_index"),
        marine_layer=months("marine_layer"),
        burn_off_hour=number("burn_off_hour"),
        wind_m_s=months("wind_m_s"),
        breeze_swing=number("breeze_swing"),
        breeze_hour=number("breeze_hour"),
        heat_waves=HeatWaves(
            int(waves["first_day"]),
            int(waves["last_day"]),
            (int(waves["per_year"][0]), int(waves["per_year"][1])),
            (float(waves["peak_c"][0]), float(waves["peak_c"][1])),
            float(waves["forced_peak_c"]),
        ),
        source=str(entry["source"]),
    )
