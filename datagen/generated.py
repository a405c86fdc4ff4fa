"""The generated community: a scenario's weather and as many homes as asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from common.clock import day_slots
from common.config import RunConfig
from common.errors import UserError
from datagen.household import SOURCE, generate_home, has_solar
from datagen.scenario import scenario
from datagen.source import Community, Home, asked_days, plus_days
from datagen.weather import Weather, make_weather
from datagen.weather_forecast import issue_forecasts

HISTORY_DAYS = 365
MARGIN_DAYS = 3
"""Days after the run, so that forecasts issued on its last day have something to come true against."""


def generated_community(config: RunConfig) -> Community:
    """Community of ``config.homes`` homes with a year of history before the run.

    The scenario's weather (a heat wave, a clear sky) lies on the first day of the run, wherever that is.

    Raises:
        UserError: an unknown scenario, a bad date, or no number of homes.
    """
    if config.homes < 1:
        raise UserError("homes 0 (as many as the data holds) needs real data; say how many homes to generate")
    chosen = scenario(config.scenario)
    first, last = asked_days(config) or (chosen.day, plus_days(chosen.day, config.days - 1))
    if not 1972 <= first.year <= last.year <= 2100:
        raise UserError(f"a run from {first} to {last} lies outside the years 1972 to 2100")
    begin, end = first - timedelta(days=HISTORY_DAYS), last + timedelta(days=MARGIN_DAYS)
    slots = range(day_slots(begin).start, day_slots(end).stop)
    weather = make_weather(config.seed, slots, first if chosen.heat_wave else None, first if chosen.clear_sky else None)
    share = chosen.solar_share if config.solar_share < 0 else config.solar_share
    return Community(
        source=SOURCE,
        scenario=chosen.name,
        count=config.homes,
        homes=_homes(config.homes, config.seed, slots, weather, share),
        forecast=issue_forecasts(weather, config.seed),
        first_day=begin,
        last_day=end,
        start_date=first,
    )


def _homes(count: int, seed: int, slots: range, weather: Weather, share: float) -> Iterator[Home]:
    for index in range(count):
        yield generate_home(index, seed, slots, weather, has_solar(index, share))
