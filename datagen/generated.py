"""The generated community: a scenario's weather and as many homes as asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from common.clock import day_slots
from common.config import RunConfig
from common.errors import UserError
from datagen.climate import climate_of
from datagen.events import Events, calendar, events_of, known_events
from datagen.household import SOURCE, generate_home, has_solar
from datagen.occupancy import archetype_mix
from datagen.scenario import Scenario, scenario
from datagen.source import Community, Home, HomeRecipe, asked_days, plus_days
from datagen.stock import Stock, stock_of
from datagen.weather import Weather, make_weather, neighbour_clouds
from datagen.weather_files import typical_weather
from datagen.weather_forecast import issue_forecasts

HISTORY_DAYS = 365
MARGIN_DAYS = 3
"""Days after the run, so that forecasts issued on its last day have something to come true against."""


@dataclass(frozen=True)
class GeneratedHomes(HomeRecipe):
    """Recipe of a generated community's homes.

    Attributes:
        count: number of homes.
        seed: of the community.
        slots: that the readings cover.
        weather: of the community, as long as ``slots``.
        solar_share: of homes with solar, 0..1.
        stock: what the homes are made of.
        mix: of kinds of households (:func:`datagen.occupancy.archetype_mix`).
        events: of the user's own calendar. known_events: those that the homes know beforehand.
        outages: times in which the grid is away; first and end slot, as of events.
    """

    count: int
    seed: int
    slots: range
    weather: Weather
    solar_share: float
    stock: Stock
    mix: tuple[float, ...] = ()
    events: Events = ()
    known_events: Events = ()
    outages: Events = ()

    def home(self, index: int) -> Home:
        """Make home ``index``; the same whatever the number of homes."""
        solar = has_solar(index, self.solar_share)
        facts, readings = generate_home(
            index, self.seed, self.slots, self.weather, solar, self.stock, self.mix, self.events
        )
        return facts.model_copy(update={"events": self.known_events, "outages": self.outages}), readings


def generated_community(config: RunConfig) -> Community:
    """Community of ``config.homes`` homes with a year of history before the run.

    The scenario's weather (a heat wave, a clear sky) lies on the first day of the run, wherever that is.

    Raises:
        UserError: an unknown scenario or climate, a bad date or weather file, or no number of homes.
    """
    if config.homes < 1:
        raise UserError("homes 0 (as many as the data holds) needs real data; say how many homes to generate")
    chosen = scenario(config.scenario)
    stock = chosen.stock(stock_of(config.stock))
    first, last = asked_days(config) or (chosen.day, plus_days(chosen.day, config.days - 1))
    if not 1972 <= first.year <= last.year <= 2100:
        raise UserError(f"a run from {first} to {last} lies outside the years 1972 to 2100")
    begin, end = first - timedelta(days=HISTORY_DAYS), last + timedelta(days=MARGIN_DAYS)
    slots = range(day_slots(begin).start, day_slots(end).stop)
    events = events_of(config.events, slots)
    weather = local_weather(config.climate, config.seed, slots, chosen, first)
    share = chosen.solar_share if config.solar_share < 0 else config.solar_share
    recipe = GeneratedHomes(
        count=config.homes,
        seed=config.seed,
        slots=slots,
        weather=weather,
        solar_share=share,
        stock=stock,
        mix=archetype_mix(config.archetypes),
        events=events,
        known_events=known_events((*calendar(), *events) if chosen.events_known else events, slots),
        outages=chosen.outages(first),
    )
    return Community(
        source=SOURCE,
        scenario=chosen.name,
        count=config.homes,
        homes=recipe,
        forecast=issue_forecasts(weather, config.seed),
        first_day=begin,
        last_day=end,
        start_date=first,
        warnings=list(weather.notes),
    )


def local_weather(climate: str, seed: int, slots: range, chosen: Scenario, first: date) -> Weather:
    """Weather of a generated community: drawn from a zone's climate, or a file's year laid over ``slots``.

    Args:
        climate: a zone, or the path of a weather file.
        seed: of the community.
        slots: contiguous.
        chosen: scenario, whose heat wave or clear sky lies on ``first``.
        first: local day.

    Raises:
        UserError: neither a zone nor a file, a bad file, or a scenario that measured weather cannot have.
    """
    if not Path(climate).is_file():
        return make_weather(
            seed,
            slots,
            climate_of(climate),
            first if chosen.heat_wave else None,
            first if chosen.clear_sky else None,
        )
    if chosen.forces_weather:
        raise UserError(
            f"scenario '{chosen.name}' makes its own weather, and '{climate}' is a file of weather as it was; "
            "give a zone as climate, or another scenario"
        )
    weather = typical_weather(climate, slots)
    return replace(weather, waves=neighbour_clouds(seed, weather.clear_index))
