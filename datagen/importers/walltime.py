"""Local wall time to UTC, for files whose rows carry no offset.

When clocks go back an hour occurs twice: rows are told apart by their order in the file, daylight-saving time first.
When clocks go forward an hour does not exist: a row that claims it is refused, since it would shift or overwrite
another.  Where a format is known to label the hour after the change so (:func:`without_skipped`) it is read as that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.errors import UserError

Ints = NDArray[np.int64]


def utc_seconds(wall: pd.DatetimeIndex, timezone: str, bad_row: Callable[[int, str], UserError]) -> Ints:
    """Seconds since the epoch of local wall times, shape ``(n,)``.

    Args:
        wall: naive local times in the order of the file, ascending or descending.
        timezone: IANA name.
        bad_row: makes the error about a row (from 0) of the file.

    Raises:
        UserError: a time that the clocks skip.
    """
    if len(wall) > 1 and (np.diff(wall.asi8) < 0).sum() > (len(wall) - 1) / 2:
        return utc_seconds(wall[::-1], timezone, lambda row, text: bad_row(len(wall) - 1 - row, text))[::-1].copy()
    summer, winter = _meanings(wall, timezone)
    skipped = np.flatnonzero(np.asarray(summer.isna()) & ~np.asarray(wall.isna()))
    if len(skipped):
        row = int(skipped[0])
        raise bad_row(
            row, f"{wall[row]:%Y-%m-%d %H:%M} does not exist in {timezone} (clocks go forward); expected local time"
        )
    # The second time that a label of the repeated hour occurs it means standard time.
    ambiguous = np.asarray(summer != winter)
    again = ambiguous & np.asarray(pd.Series(wall).duplicated())
    return np.where(again, _seconds(winter), _seconds(summer))


def utc_seconds_of_ends(wall: pd.DatetimeIndex, timezone: str, bad_row: Callable[[int, str], UserError]) -> Ints:
    """The same for times that name the ends of intervals, shape ``(n,)``.

    In spring an end may be called 02:00 or 03:00.  In autumn ends are called 01:00, 01:00, 02:00 by the clock, or
    01:00, 02:00, 02:00 by those who add an hour to its beginning: then the instant before each tells what it closes.
    """
    before = wall - pd.Timedelta(seconds=1)
    summer, winter = _meanings(wall, timezone)
    summer_before, winter_before = _meanings(before, timezone)
    skipped_to = np.asarray(summer.isna()) & np.asarray(summer_before.notna())
    ends = (summer_before + pd.Timedelta(seconds=1)).tz_convert(timezone).tz_localize(None)
    there = np.asarray(summer.notna()) & np.asarray(summer_before.notna())
    in_repeated, closes_repeated = np.asarray(summer != winter), np.asarray(summer_before != winter_before)
    twice = np.asarray(pd.Series(wall).duplicated())
    by_beginning = bool((there & closes_repeated & ~in_repeated & twice).any())
    late = (there & (in_repeated | closes_repeated) & by_beginning).astype(np.int64)
    told = pd.DatetimeIndex(wall.where(~skipped_to, ends)) - pd.to_timedelta(late, unit="s")
    seconds: Ints = utc_seconds(told, timezone, bad_row) + late
    return seconds


def without_skipped(wall: pd.DatetimeIndex, timezone: str) -> tuple[pd.DatetimeIndex, int]:
    """Wall times whose labels of the hour that the clocks skip are moved an hour on, and how many these are.

    Some utilities count on through the change: 01:00, 02:00, 04:00, where 02:00 is the hour that began at 03:00.  A
    label is moved only if the time that it is moved to stands nowhere; else it is left for :func:`utc_seconds` to
    refuse.
    """
    skipped = np.asarray(wall.tz_localize(timezone, ambiguous=np.ones(len(wall), np.bool_), nonexistent="NaT").isna())
    if not skipped.any():
        return wall, 0
    later = wall + pd.Timedelta(hours=1)
    moved = skipped & ~np.asarray(later.isin(wall))
    return pd.DatetimeIndex(np.where(moved, later, wall)), int(moved.sum())


def _meanings(wall: pd.DatetimeIndex, timezone: str) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Moments of wall times, a repeated hour taken as daylight-saving and as standard time; NaT where skipped."""
    summer, winter = (
        wall.tz_localize(timezone, ambiguous=np.full(len(wall), meant), nonexistent="NaT") for meant in (True, False)
    )
    return summer, winter


def _seconds(moments: pd.DatetimeIndex) -> Ints:
    return np.asarray((moments - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1), np.float64).astype(np.int64)
