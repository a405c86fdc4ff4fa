"""The local calendar of a span of slots, by slot and by local day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common.clock import local_calendar
from datagen.events import Events, event_slots


@dataclass(frozen=True)
class Span:
    """Calendar of ``n`` contiguous slots that touch ``d`` local days.

    Attributes:
        first_slot: slot of row 0.
        hour: local hour of the start of each slot, 0.0 .. 23.5; shape ``(n,)``.
        day: row of each slot in the arrays by day; shape ``(n,)``.
        month: 1..12; shape ``(n,)``.
        day_of_year: 1..366; shape ``(n,)``.
        event: whether something is on that many watch (:mod:`datagen.events`); shape ``(n,)``.
        day_row: row of the first slot of each day; shape ``(d,)``.
        workday: Monday to Friday and no public holiday; shape ``(d,)``.
    """

    first_slot: int
    hour: NDArray[np.float64]
    day: NDArray[np.int64]
    month: NDArray[np.int64]
    day_of_year: NDArray[np.int64]
    event: NDArray[np.bool_]
    day_row: NDArray[np.int64]
    workday: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.hour)

    @property
    def days(self) -> int:
        """Local days that the span touches."""
        return len(self.day_row)


@lru_cache(maxsize=4)
def span_of(slots: range, events: Events = ()) -> Span:
    """Calendar of ``slots``, with ``events`` beside the usual ones; computed once for all homes of a community."""
    calendar = local_calendar(np.arange(slots.start, slots.stop))
    starts = np.flatnonzero(np.diff(calendar.day_of_year, prepend=-1) != 0)
    day = np.cumsum(np.diff(calendar.day_of_year, prepend=calendar.day_of_year[0]) != 0)
    workday = (calendar.weekday[starts] < 5) & (calendar.holiday[starts] == 0)
    return Span(
        first_slot=slots.start,
        hour=calendar.half_hour / 2,
        day=day,
        month=calendar.month,
        day_of_year=calendar.day_of_year,
        event=event_slots(slots, events),
        day_row=starts,
        workday=workday,
    )
