"""Slots: half-hours numbered from the Unix epoch in UTC, and their local calendar.

A *slot* is an integer: slot ``s`` is the half-hour that starts ``s * 1800`` seconds after 1970-01-01T00:00Z.  All
sequencing is in slots; local time is derived, so daylight-saving days have 46 or 50 slots and nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.units import SLOT_SECONDS

TIMEZONE = "America/Los_Angeles"


def known_timezone(name: str) -> str:
    """``name`` if it is an IANA time zone that is known here.

    Raises:
        ValueError: it is not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name[:64]}' is no time zone; expected an IANA name such as {TIMEZONE}") from None
    return name


def slot_of(moment: datetime) -> int:
    """Slot that contains an aware moment."""
    if moment.tzinfo is None:
        raise ValueError("a moment must carry its time zone")
    return int(moment.timestamp() // SLOT_SECONDS)


def utc_of(slot: int) -> datetime:
    """Start of a slot, in UTC."""
    return datetime.fromtimestamp(slot * SLOT_SECONDS, ZoneInfo("UTC"))


def local_of(slot: int, timezone: str = TIMEZONE) -> datetime:
    """Start of a slot, in local time."""
    return datetime.fromtimestamp(slot * SLOT_SECONDS, ZoneInfo(timezone))


def day_slots(day: date, timezone: str = TIMEZONE) -> range:
    """Slots of a local day: 48, or 46 / 50 when the clocks change."""
    midnight = time(tzinfo=ZoneInfo(timezone))
    first = slot_of(datetime.combine(day, midnight))
    return range(first, slot_of(datetime.combine(day + timedelta(days=1), midnight)))


@dataclass(frozen=True)
class LocalCalendar:
    """Local calendar of an array of slots, shape ``(n,)`` each.

    Attributes:
        half_hour: 0..47, local half-hour of the day.
        weekday: 0 (Monday) .. 6.
        day_of_year: 1..366.
        month: 1..12.
        holiday: 1 on a Californian public holiday, else 0.
    """

    half_hour: NDArray[np.int64]
    weekday: NDArray[np.int64]
    day_of_year: NDArray[np.int64]
    month: NDArray[np.int64]
    holiday: NDArray[np.int64]


def local_calendar(slots: NDArray[np.int64], timezone: str = TIMEZONE) -> LocalCalendar:
    """Local calendar of ``slots``, vectorised."""
    index = pd.DatetimeIndex(pd.to_datetime(np.asarray(slots, np.int64) * SLOT_SECONDS, unit="s", utc=True)).tz_convert(
        timezone
    )
    holidays = _holidays(int(index.year.min()), int(index.year.max())) if len(index) else frozenset()
    days = index.year * 10000 + index.month * 100 + index.day
    return LocalCalendar(
        half_hour=np.asarray(index.hour * 2 + index.minute // 30, np.int64),
        weekday=np.asarray(index.day_of_week, np.int64),
        day_of_year=np.asarray(index.day_of_year, np.int64),
        month=np.asarray(index.month, np.int64),
        holiday=np.isin(np.asarray(days, np.int64), np.fromiter(holidays, np.int64)).astype(np.int64),
    )


@lru_cache(maxsize=8)
def _holidays(first_year: int, last_year: int) -> frozenset[int]:
    import holidays

    days = holidays.country_holidays("US", subdiv="CA", years=range(first_year, last_year + 1))
    return frozenset(d.year * 10000 + d.month * 100 + d.day for d in days)
