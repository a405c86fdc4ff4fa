"""Which days an evaluation is of: single days, blocks of days in a row, or a whole year by months."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from common.blocks import Block
from common.errors import UserError

BURN_IN_DAYS = 56
"""Days of history before the first test day."""


def spread_days(first_day: date, last_day: date, count: int, gap_days: Collection[date] = ()) -> list[str]:
    """Days spread evenly from the end of the burn-in after ``first_day`` to ``last_day``, as ISO dates.

    Args:
        first_day: first day of the data.
        last_day: last day that may be chosen.
        count: how many days.
        gap_days: days on which some home has no reading; none of them is chosen.

    Raises:
        UserError: there are not so many days.
    """
    days = _days(first_day, last_day, gap_days)
    if len(days) < count:
        found = f"{len(days)} day{'' if len(days) == 1 else 's'}{' without a gap' if gap_days else ''}"
        mend = f"use --days {len(days)}, or bring a longer range" if days else "bring a longer range"
        raise UserError(f"--days {count}: the data has only {found} after {BURN_IN_DAYS} days of history; {mend}")
    return [days[row].isoformat() for row in _evenly(len(days), count)]


def spread_blocks(
    first_day: date, last_day: date, count: int, span: int, gap_days: Collection[date] = ()
) -> list[Block]:
    """As :func:`spread_days`, in blocks of ``span`` days in a row: as many as ``count`` days fill, at least one.

    Raises:
        UserError: so many blocks without a gap are not there.
    """
    if span == 1:
        return [(date.fromisoformat(day),) * 2 for day in spread_days(first_day, last_day, count, gap_days)]
    days, wanted = set(_days(first_day, last_day, gap_days)), max(count // span, 1)
    free = [d for d in sorted(days) if all(d + timedelta(days=k) in days for k in range(span))]
    chosen: list[date] = []
    for row in _evenly(len(free), wanted) if len(free) >= wanted else []:
        if not chosen or free[row] - chosen[-1] >= timedelta(days=span):
            chosen.append(free[row])
    if len(chosen) < wanted:
        raise UserError(
            f"--days {count} --span {span}: the data has no {wanted} blocks of {span} days without a gap after "
            f"{BURN_IN_DAYS} days of history; ask for fewer days, or for shorter blocks"
        )
    return [(day, day + timedelta(days=span - 1)) for day in chosen]


def year_blocks(first_day: date, last_day: date, gap_days: Collection[date] = ()) -> list[Block]:
    """All days from the end of the burn-in on, a block for each calendar month; a gap divides a month.

    Raises:
        UserError: there is no such day.
    """
    blocks: list[Block] = []
    for day in _days(first_day, last_day, gap_days):
        if blocks and day.day > 1 and day - blocks[-1][1] == timedelta(days=1):
            blocks[-1] = blocks[-1][0], day
        else:
            blocks.append((day, day))
    if not blocks:
        raise UserError(f"--year: the data has no day after {BURN_IN_DAYS} days of history; bring a longer range")
    return blocks


def _days(first_day: date, last_day: date, gap_days: Collection[date]) -> list[date]:
    first = first_day + timedelta(days=BURN_IN_DAYS)
    days = [first + timedelta(days=k) for k in range((last_day - first).days + 1)]
    return [day for day in days if day not in gap_days]


def _evenly(rows: int, count: int) -> list[int]:
    return [rows - 1] if count == 1 else [round(i * (rows - 1) / (count - 1)) for i in range(count)]
