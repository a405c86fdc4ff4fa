"""What a source of homes gives, and the days that a run asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from common.blocks import parse_blocks
from common.config import RunConfig
from common.errors import UserError
from common.readings import HomeFacts, Readings, WeatherForecast

Home = tuple[HomeFacts, Readings]


class HomeRecipe(ABC):
    """Homes of which each is made from its number alone, so that any process can make any of them; can be pickled.

    Attributes:
        count: number of homes.
    """

    count: int

    @abstractmethod
    def home(self, index: int) -> Home:
        """Make home ``index``, from 0 on."""

    def __iter__(self) -> Iterator[Home]:
        """All homes in order, made one by one."""
        return map(self.home, range(self.count))


@dataclass(frozen=True)
class Community:
    """Homes on their way into a folder.

    Attributes:
        source: ``generated``, or the format of the data; never a path.
        scenario: the generator's; empty for real data.
        count: number of homes.
        homes: the homes, gone through once; of a :class:`HomeRecipe` several may be made at a time.
        forecast: weather forecasts, the same for all homes, or None.
        first_day, last_day, start_date: see :class:`datagen.manifest.CommunityManifest`.
        warnings: what a user should know about the data.
    """

    source: str
    scenario: str
    count: int
    homes: Iterable[Home]
    forecast: WeatherForecast | None
    first_day: date
    last_day: date
    start_date: date
    warnings: list[str] = field(default_factory=list)


def parse_day(text: str, option: str) -> date:
    """Date of an option.

    Raises:
        UserError: not YYYY-MM-DD.
    """
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} '{text}' is not a date; write YYYY-MM-DD") from None


def plus_days(day: date, days: int) -> date:
    """``day`` moved by so many days.

    Raises:
        UserError: beyond the calendar.
    """
    try:
        return day + timedelta(days=days)
    except OverflowError:
        raise UserError(f"{day} and {days} days lie outside the calendar") from None


def asked_days(config: RunConfig) -> tuple[date, date] | None:
    """First and last local day that a run's options name, or None where they leave the choice to the data.

    ``test_days`` stand in place of ``date`` and ``days``.

    Raises:
        UserError: a date that is none, or both ``date`` and ``test_days``.
    """
    if config.test_days:
        if config.date:
            raise UserError("date and test-days exclude each other; give one of them")
        blocks = parse_blocks(config.test_days)
        return blocks[0][0], blocks[-1][1]
    if config.date:
        first = parse_day(config.date, "date")
        return first, plus_days(first, config.days - 1)
    return None
