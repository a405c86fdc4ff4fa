"""Scenarios of the generator: a day, the weather that it has, and the share of homes with solar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from common.errors import UserError


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
    """

    name: str
    summary: str
    day: date
    solar_share: float = 0.5
    heat_wave: bool = False
    clear_sky: bool = False

    @property
    def forces_weather(self) -> bool:
        """Whether it changes the weather of its day, which measured weather does not allow."""
        return self.heat_wave or self.clear_sky


_ALL = (
    Scenario("default", "an ordinary early-summer weekday, solar on half of the roofs", date(2025, 6, 18)),
    Scenario("heat-wave", "the third day of a heat wave in early September", date(2025, 9, 3), heat_wave=True),
    Scenario("high-solar", "a clear day in May, solar on every roof", date(2025, 5, 28), 1.0, clear_sky=True),
    Scenario("no-solar", "the default day without any solar", date(2025, 6, 18), 0.0),
    Scenario("winter", "a weekday in January: short days, heating, little cooling", date(2025, 1, 15)),
)

SCENARIOS: dict[str, Scenario] = {entry.name: entry for entry in _ALL}


def scenario(name: str) -> Scenario:
    """Scenario by name.

    Raises:
        UserError: unknown name.
    """
    if name not in SCENARIOS:
        raise UserError(f"scenario '{name}' is unknown; choose one of: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
