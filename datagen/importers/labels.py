"""Dates for hours that are labelled by month, hour of day and weekday only.

Two questions are open in such a table, and both are answered from the data.  *Which year?*  The latest one, up to 2021,
whose calendar fits every row.  *Which clock?*  Standard time or local time with daylight saving, and hours named by
their end (EnergyPlus' custom) or by their beginning: the one under which solar production follows the sun best.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.clock import TIMEZONE
from common.errors import UserError
from datagen.importers.tables import Table, bad_row
from datagen.weather import STANDARD_OFFSET_SLOTS, sky_of

YEARS = range(2021, 1993, -1)
"""Candidate years; calendars repeat after 28."""

HOLIDAY_TYPE = 8
"""A ``day_type`` that stands for any weekday."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class HourClock:
    """How hours are labelled.

    Attributes:
        daylight_saving: local time with daylight saving; else Pacific Standard Time all year.
        names_beginning: hour 5 is 05:00-06:00; else 04:00-05:00. Hour 24 belongs to the day before in either case.
    """

    daylight_saving: bool
    names_beginning: bool

    def __str__(self) -> str:
        zone = "local time with daylight saving" if self.daylight_saving else "Pacific Standard Time all year"
        return f"{zone}, hours named by their {'beginning' if self.names_beginning else 'end'}"


ENERGYPLUS_CLOCK = HourClock(daylight_saving=False, names_beginning=False)
CLOCKS = (ENERGYPLUS_CLOCK, HourClock(False, True), HourClock(True, False), HourClock(True, True))


def first_date(path: Path, table: Table, known: date | None = None) -> date:
    """Date of the first row by its labels ``month``, ``hour`` (1..24) and ``day_type`` (1 is Monday).

    Args:
        path: of the file, for messages.
        table: with the labels.
        known: the date if it is known; then the labels are checked against it.

    Raises:
        UserError: hours that do not follow each other, or labels that fit no year.
    """
    hour, month, day_type = (table[name].astype(np.int64) for name in ("hour", "month", "day_type"))
    for name, low, high in (("hour", 1, 24), ("month", 1, 12), ("day_type", 1, HOLIDAY_TYPE)):
        wrong = np.flatnonzero((table[name] < low) | (table[name] > high) | (table[name] % 1 != 0))
        if len(wrong):
            raise bad_row(path, int(wrong[0]), name, f"{table[name][wrong[0]]:g}; expected {low} to {high}")
    breaks = np.flatnonzero(hour[1:] != hour[:-1] % 24 + 1)
    if len(breaks):
        row = int(breaks[0]) + 1
        expected = hour[row - 1] % 24 + 1
        raise bad_row(
            path, row, "hour", f"{hour[row]} after {hour[row - 1]}; expected {expected} (a gap or a duplicate?)"
        )
    day = np.cumsum(np.diff(hour, prepend=hour[0]) < 0, dtype=np.int64)  # days by the labels, from 0
    if known is not None:
        return _fitting_date(path, day, month, day_type, [known])
    turns = np.flatnonzero(month != month[0])
    if not len(turns):
        raise UserError(f"{path}: all rows are of one month; at least a change of month is needed to find the dates")
    turn_row = int(turns[0])  # the turn of the month gives the day
    back = timedelta(days=int(day[turn_row]))
    firsts = [date(year, int(month[turn_row]), 1) - back for year in YEARS]
    return _fitting_date(path, day, month, day_type, firsts)


def _fitting_date(path: Path, day: Ints, month: Ints, day_type: Ints, firsts: list[date]) -> date:
    """The first of ``firsts`` whose calendar fits."""
    best_row, best = -1, date.min
    for first in firsts:
        calendar = pd.date_range(first, periods=int(day[-1]) + 1)
        months, weekdays = np.asarray(calendar.month)[day], np.asarray(calendar.day_of_week)[day] + 1
        wrong = np.flatnonzero((months != month) | ((weekdays != day_type) & (day_type != HOLIDAY_TYPE)))
        if not len(wrong):
            return first
        if wrong[0] > best_row:
            best_row, best = int(wrong[0]), first
    found = f"{YEARS[-1]}-{YEARS[0]}" if len(firsts) > 1 else f"{firsts[0]}"
    expected = best + timedelta(days=int(day[best_row]))
    raise bad_row(
        path, best_row, "month, day_type",
        f"month {month[best_row]}, day_type {day_type[best_row]} follow no calendar of {found}; "
        f"expected month {expected.month}, day_type {expected.isoweekday()} (a gap or a duplicate?)",
    )  # fmt: skip


def utc_hours(first: date, first_hour: int, rows: int, clock: HourClock) -> Ints:
    """Hours since the epoch of each row; -1 for the hour that daylight saving leaves out. Shape ``(rows,)``."""
    start = pd.Timestamp(first) + pd.Timedelta(hours=first_hour - 1 + clock.names_beginning)
    wall = pd.date_range(start, periods=rows, freq="h")
    if clock.daylight_saving:
        utc = wall.tz_localize(TIMEZONE, ambiguous=np.ones(rows, np.bool_), nonexistent="NaT").tz_convert("UTC")
    else:
        utc = (wall - pd.Timedelta(hours=STANDARD_OFFSET_SLOTS / 2)).tz_localize("UTC")
    hours = np.asarray((utc - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(hours=1), np.float64)
    return np.where(np.isnan(hours), -1, hours).astype(np.int64)


def hour_rows(hours: Ints) -> tuple[int, Ints]:
    """First UTC hour, and for each hour from it on the row that holds it.

    Where daylight saving repeats an hour that the table has once, its row serves twice; a row of an hour that did not
    exist is left out.
    """
    present = np.flatnonzero(hours >= 0)
    every = np.arange(hours[present[0]], hours[present[-1]] + 1)
    return int(every[0]), present[np.searchsorted(hours[present], every, side="right") - 1]


def infer_clock(first: date, first_hour: int, solar: list[NDArray[np.float64]]) -> HourClock:
    """Clock under which solar production follows the sun best; EnergyPlus' custom where nobody has solar.

    The beam on a plane is linear in the three components of the plane's normal, so production is regressed on the
    components of a clear sky's beam; the clock with the highest coefficient of determination over all homes wins.
    """
    solar = [values for values in solar if values.any()]
    if not solar:
        return ENERGYPLUS_CLOCK
    hours = {clock: utc_hours(first, first_hour, len(solar[0]), clock) for clock in CLOCKS}
    origin, last = min(h[h >= 0].min() for h in hours.values()), max(h.max() for h in hours.values())
    sky = sky_of(range(2 * int(origin), 2 * int(last) + 2))
    zenith, azimuth = np.radians(np.minimum(sky.zenith_deg, 85.0)), np.radians(sky.azimuth_deg)
    along = np.stack([np.ones_like(zenith), np.tan(zenith) * np.sin(azimuth), np.tan(zenith) * np.cos(azimuth)], axis=1)
    beam = (sky.clear_ghi_w_m2[:, None] * along).reshape(-1, 2, 3).mean(axis=1)  # (hour, component)

    def skill(clock: HourClock) -> float:
        there = hours[clock] >= 0
        inputs, total = beam[hours[clock][there] - origin], 0.0
        for values in solar:
            output = values[there]
            weights = np.linalg.lstsq(inputs, output, rcond=None)[0]
            total += 1 - float(((output - inputs @ weights) ** 2).sum() / ((output - output.mean()) ** 2).sum())
        return total

    return max(CLOCKS, key=skill)
