"""The clock of a weather file: when its records are, and whether they follow each other."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

import numpy as np

from common.errors import UserError
from datagen.weather_files.base import Ints

YEAR_MIN = 365 * 24 * 60
"""Minutes of a year without a leap day."""
FIRST_YEAR, LAST_YEAR = 1900, 2100
LEAP_DAY, DAY_MIN = 59, 24 * 60

_FIRST_OF_MONTH = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])


def epoch_minutes(name: str, line: int, year: int, month: int, day: int, minute: int) -> int:
    """Minutes from the epoch to ``minute`` of a day, on the file's own clock.

    Raises:
        UserError: no such day.
    """
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        raise UserError(f"{name}, line {line}: {year}-{month:02d}-{day:02d} is no day; expected a date")
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) // 60 + minute


def minute_of_year(local_min: Ints) -> Ints:
    """Minutes into a year without a leap day, of minutes since the epoch in local time; 29 February is 28 February."""
    days = local_min // DAY_MIN
    dates = days.astype("datetime64[D]")
    year = dates.astype("datetime64[Y]")
    day_of_year = (dates - year.astype("datetime64[D]")).astype(np.int64)
    leap = (year + 1).astype("datetime64[D]") - year.astype("datetime64[D]") == np.timedelta64(366, "D")
    day_of_year -= leap & (day_of_year >= LEAP_DAY)
    return np.asarray(day_of_year * DAY_MIN + local_min % DAY_MIN, np.int64)


def check_sequence(name: str, local_min: Ints, step_min: int, first_line: int) -> bool:
    """Whether the records are of a typical year, whose months are from different years.

    Within each year the records must follow each other; a leap day may be left out, as many files do.

    Args:
        name: of the file.
        local_min: minutes since the epoch in local time, shape ``(n,)``.
        step_min: between records.
        first_line: of the file that holds record 0.

    Raises:
        UserError: a record out of order, with its line.
    """
    jumps = np.flatnonzero(np.diff(local_min) != step_min)
    if not len(jumps):
        return False
    of_year = minute_of_year(local_min)
    follows = (of_year[1:] - of_year[:-1]) % YEAR_MIN == step_min
    wrong = jumps[~follows[jumps]]
    if len(wrong):
        row = int(wrong[0]) + 1
        expected = stamp(int(local_min[row - 1]) + step_min)
        raise UserError(
            f"{name}, line {first_line + row}: {stamp(int(local_min[row]))} after {stamp(int(local_min[row - 1]))}; "
            f"expected {expected} (a gap or a duplicate?)"
        )
    skipped_leap_day = np.diff(local_min)[jumps] == step_min + DAY_MIN
    return not bool(skipped_leap_day.all())


def stamp(minutes: int) -> str:
    """Minutes since the epoch as people write them."""
    return str(np.datetime64(minutes, "m")).replace("T", " ")
