"""Gaps in a home's readings: where they are, and what stands in for them.

An importer marks a gap (``Readings.metered`` is False there, energies are 0) and never invents a value.  Before a home
is used its gaps are filled with what was metered a week before, which is known at any gate closure; the mark stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.clock import TIMEZONE, local_of
from common.readings import Readings
from common.units import SLOT_HOURS, SLOT_SECONDS, SLOTS_PER_DAY

WEEK_SLOTS = 7 * SLOTS_PER_DAY


@dataclass(frozen=True)
class Gap:
    """A run of slots without a reading: the first, and how many."""

    first_slot: int
    slots: int

    def __str__(self) -> str:
        return f"{self.slots * SLOT_HOURS:g} h from {local_of(self.first_slot):%Y-%m-%d %H:%M}"


def gaps_of(readings: Readings) -> list[Gap]:
    """The gaps of a home's readings, in order."""
    if readings.metered is None:
        return []
    edges = np.flatnonzero(np.diff(readings.metered.astype(np.int8), prepend=1, append=1))
    return [
        Gap(readings.first_slot + int(begin), int(end - begin))
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def gap_days(readings: Readings) -> list[date]:
    """Local days on which some slot has no reading, in order."""
    if readings.metered is None:
        return []
    slots = readings.first_slot + np.flatnonzero(~readings.metered)
    local = pd.DatetimeIndex(pd.to_datetime(slots * SLOT_SECONDS, unit="s", utc=True)).tz_convert(TIMEZONE)
    return [moment.date() for moment in local.normalize().unique()]


def fill_gaps(readings: Readings) -> Readings:
    """Readings whose gaps hold the energies of the same half-hour a week before, else of the day before, else zero.

    A filled slot serves as source for later ones, so a long gap repeats the week before it.  A week is 336
    slots: in the week after a clock change that is an hour off by the local clock.  ``metered`` is kept.
    """
    if readings.metered is None or readings.metered.all():
        return readings
    source = np.arange(len(readings))
    known = readings.metered.copy()
    for row in np.flatnonzero(~readings.metered):
        for back in (WEEK_SLOTS, SLOTS_PER_DAY):
            if row >= back and known[row - back]:
                source[row], known[row] = source[row - back], True
                break
    return replace(
        readings,
        load_wh=_from(readings.load_wh, source, known),
        pv_wh=_from(readings.pv_wh, source, known),
        channels=None if readings.channels is None else _from(readings.channels, source, known),
    )


def _from(values: NDArray[np.int64], source: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    filled: NDArray[np.int64] = np.where(known, values[..., source], 0)
    return filled
