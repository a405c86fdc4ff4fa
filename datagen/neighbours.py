"""Generated neighbours of real homes: a home alone has nobody to trade with.

They live over the same days as the real homes, under the weather that those saw where their readings hold it.
Neighbour 7 of 10 equals neighbour 7 of 1,000; its devices are those of home 7 of a generated community.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.clock import day_slots
from common.config import RunConfig
from common.errors import UserError
from common.readings import Readings, WeatherForecast
from datagen.cars import cut_car
from datagen.climate import DEFAULT_ZONE, climate_of
from datagen.generated import MARGIN_DAYS, GeneratedHomes, local_weather
from datagen.occupancy import archetype_mix
from datagen.scenario import scenario
from datagen.site import sky_of
from datagen.source import Home
from datagen.stock import stock_of
from datagen.timeaxis import StandardTime
from datagen.weather import Weather, neighbour_clouds, split_ghi
from datagen.weather_forecast import issue_forecasts

PREFIX = "neighbour-"
SOLAR_SHARE = 0.5
"""Share of the neighbours with solar unless it is asked for."""


@dataclass(frozen=True)
class Neighbours:
    """Generated homes beside real ones.

    Attributes:
        homes: made one by one, in the order of their ids.
        forecast: of the weather that they live in, where the real homes bring none of their own; else None.
        warnings: what a user should know of them.
    """

    homes: Iterator[Home]
    forecast: WeatherForecast | None
    warnings: list[str]


def neighbours_of(config: RunConfig, real: Sequence[Home], days: tuple[date, date]) -> Neighbours:
    """Neighbours ``neighbour-00000``, ``neighbour-00001``, ... of real homes.

    Args:
        config: ``neighbours`` says how many, ``solar_share`` how many of them have solar; ``climate``, ``stock`` and
            ``seed`` as for generated homes.
        real: the real homes. Where all hold the same weather the neighbours live in it, under the sun of the climate's
            site; else in weather made from the climate.
        days: first and last local day, whole, that the neighbours' readings cover.

    Raises:
        UserError: an unknown climate or stock, a bad weather file, or a real home that is called as a neighbour.
    """
    taken = [facts.home_id for facts, _ in real if facts.home_id.startswith(PREFIX)]
    if taken:
        raise UserError(f"the data has a home {taken[0]}, as neighbours are called; leave neighbours out, or rename it")
    slots = range(day_slots(days[0]).start, day_slots(days[1]).stop)
    share = SOLAR_SHARE if config.solar_share < 0 else config.solar_share
    seen = common_weather(real, slots)
    if seen is not None:
        weather, forecast, warnings = observed_weather(seen, slots, config), None, []
    else:
        wide = range(slots.start, day_slots(days[1] + timedelta(days=MARGIN_DAYS)).stop)
        weather = local_weather(config.climate, config.seed, wide, scenario("default"), days[0])
        unseen = all(readings.weather is None for _, readings in real)
        forecast = issue_forecasts(weather, config.seed) if unseen else None
        warnings = [_made_weather(config.climate, unseen), *weather.notes]
    return Neighbours(_homes(config, slots, weather, share), forecast, [_generated(config.neighbours), *warnings])


def common_weather(homes: Sequence[Home], slots: range) -> NDArray[np.float32] | None:
    """Observed weather of ``slots``, shape ``(4, n)``, if all homes hold the same; else None.

    Args:
        homes: whose readings cover ``slots``.
        slots: contiguous.
    """
    found: NDArray[np.float32] | None = None
    for _, readings in homes:
        if readings.weather is None:
            return None
        rows = readings.weather[:, slots.start - readings.first_slot : slots.stop - readings.first_slot]
        if found is not None and not np.array_equal(rows, found):
            return None
        found = rows
    return found


def observed_weather(channels: NDArray[np.float32], slots: range, config: RunConfig) -> Weather:
    """Weather of observed channels, its irradiance split by the Erbs model.

    Args:
        channels: in the order of ``common.readings.WEATHER``, shape ``(4, n)``.
        slots: contiguous, ``n`` of them.
        config: whose ``climate`` says where the sun is seen from (a weather file does not: then Sacramento), and whose
            ``seed`` how clouds differ over the neighbourhood.
    """
    temperature_c, humidity_pct, ghi, wind_m_s = channels.astype(np.float64)
    site = climate_of(DEFAULT_ZONE if Path(config.climate).is_file() else config.climate).site
    sky = sky_of(slots, site)
    direct, diffuse = split_ghi(ghi, sky.zenith_deg, StandardTime.of(slots).day_of_year)
    weather = Weather(
        first_slot=slots.start,
        temperature_c=temperature_c,
        humidity_pct=humidity_pct,
        irradiance_w_m2=ghi,
        wind_m_s=wind_m_s,
        direct_normal_w_m2=direct,
        diffuse_w_m2=diffuse,
        sky=sky,
        site=site,
    )
    return replace(weather, waves=neighbour_clouds(config.seed, weather.clear_index))


def _homes(config: RunConfig, slots: range, weather: Weather, share: float) -> Iterator[Home]:
    """The neighbours, made over all of ``weather`` and cut to ``slots``, which begin with it."""
    made = range(weather.first_slot, weather.first_slot + len(weather))
    stock, mix = stock_of(config.stock), archetype_mix(config.archetypes)
    homes = GeneratedHomes(config.neighbours, config.seed, made, weather, share, stock, mix)
    for index, (facts, readings) in enumerate(homes):
        changes = {"home_id": f"{PREFIX}{index:05d}", "car": cut_car(facts.car, slots)}
        yield facts.model_copy(update=changes), _cut(readings, len(slots))


def _cut(readings: Readings, count: int) -> Readings:
    """The first ``count`` rows of generated readings."""
    assert readings.channels is not None and readings.weather is not None
    return Readings(
        readings.first_slot,
        readings.load_wh[:count],
        readings.pv_wh[:count],
        readings.channels[:, :count],
        readings.weather[:, :count],
    )


def _generated(count: int) -> str:
    which = f"{PREFIX}00000 to {PREFIX}{count - 1:05d} are" if count > 1 else f"{PREFIX}00000 is"
    return f"{which} generated: the community's figures are of made homes, too; the table of homes tells yours apart"


def _made_weather(climate: str, unseen: bool) -> str:
    why = "the real homes hold no weather" if unseen else "the real homes do not hold the same weather"
    place = f"of climate zone {climate}" if climate.strip().isdecimal() else "of the weather file"
    return (
        f"{why}, so the neighbours live in made weather {place}: their sun and heat are not those of the dates; "
        "'python -m datagen import' with --weather brings the weather as it was"
    )
