"""Scenarios of the generator: a day, its weather, what the homes are made of, and what happens on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from common.clock import day_slots
from common.errors import UserError
from datagen.stock import Stock


@dataclass(frozen=True)
class Scenario:
    """A named situation.

    Attributes:
        name: as in the configuration.
        summary: one line for people.
        day: first local day of the run, unless the configuration names one.
        solar_share: share of homes with solar, unless the configuration gives one.
        heat_wave: a heat wave of six days lies over the first day of the run.
        clear_sky: the sky of the first day is clear.
        car_share, car_timer_share: in place of the stock's.
        outage: first and end half-hour after midnight of the first day in which the grid is away from all homes.
        events_known: the homes know the events calendar, all of it, beforehand.
    """

    name: str
    summary: str
    day: date
    solar_share: float = 0.5
    heat_wave: bool = False
    clear_sky: bool = False
    car_share: float | None = None
    car_timer_share: float | None = None
    outage: tuple[int, int] | None = None
    events_known: bool = False

    @property
    def forces_weather(self) -> bool:
        """Whether it changes the weather of its day, which measured weather does not allow."""
        return self.heat_wave or self.clear_sky

    def stock(self, usual: Stock) -> Stock:
        """What the homes are made of, where they are ``usual`` but for what the scenario says."""
        car = usual.car if self.car_share is None else self.car_share
        timer = usual.car_timer if self.car_timer_share is None else self.car_timer_share
        return replace(usual, car=car, car_timer=timer)

    def outages(self, first: date) -> tuple[tuple[int, int], ...]:
        """First and end slot of each grid outage of a run that begins on ``first``."""
        midnight = day_slots(first).start
        return () if self.outage is None else ((midnight + self.outage[0], midnight + self.outage[1]),)


_DEFAULT_DAY = date(2025, 6, 18)

_ALL = (
    Scenario("default", "an ordinary early-summer weekday, solar on half of the roofs", _DEFAULT_DAY),
    Scenario("heat-wave", "the third day of a heat wave in early September", date(2025, 9, 3), heat_wave=True),
    Scenario("high-solar", "a clear day in May, solar on every roof", date(2025, 5, 28), 1.0, clear_sky=True),
    Scenario("no-solar", "the default day without any solar", _DEFAULT_DAY, 0.0),
    Scenario("winter", "a weekday in January: short days, heating, little cooling", date(2025, 1, 15)),
    Scenario(
        "ev-rush", "the default day, a car in nine of ten homes, charged as soon as it comes home", _DEFAULT_DAY,
        car_share=0.9, car_timer_share=0.1,
    ),
    Scenario(
        "event-night", "the evening of a match that many watch (Super Bowl LIX)", date(2025, 2, 9), events_known=True
    ),
    Scenario("grid-outage", "the default day, the grid away from 20:00 to 23:00", _DEFAULT_DAY, outage=(40, 46)),
)  # fmt: skip

SCENARIOS: dict[str, Scenario] = {entry.name: entry for entry in _ALL}


def scenario(name: str) -> Scenario:
    """Scenario by name.

    Raises:
        UserError: unknown name.
    """
    if name not in SCENARIOS:
        raise UserError(f"scenario '{name}' is unknown; choose one of: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
