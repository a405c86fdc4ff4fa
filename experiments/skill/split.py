"""What is learnt from, what decides, and what scores: three spans of time that no forecaster may mix."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from common.clock import day_slots, local_of
from common.errors import UserError

DAY = 48
TEST_DAYS, VALIDATION_DAYS = 56, 28
ORIGIN_STEP = 6
"""Slots between forecast origins: three hours."""

HORIZONS = {"3h": 6, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}
"""Slots ahead, by name."""

BEFORE_DAYS = 116
"""Days before the test whose forecasts are made, too: a month ahead, twice 28 days of errors, known 30 days later."""

LEAST_DAYS = 28 + BEFORE_DAYS + TEST_DAYS
"""Days of data: four weeks that every origin needs, the days whose errors make quantiles, and the test."""


@dataclass(frozen=True)
class Split:
    """Slots, local midnights: learn before ``validation``, decide before ``test``, score before ``end``."""

    first: int
    validation: int
    test: int
    end: int

    def origins(self) -> NDArray[np.int64]:
        """Origins every three hours: to score, and as long before as rolling quantiles need."""
        return np.arange(self.test - DAY * BEFORE_DAYS, self.end - HORIZONS["3h"] + 1, ORIGIN_STEP)


def split_of(first: int, end: int) -> Split:
    """The split of data from slot ``first`` up to ``end``: the last 8 weeks score, the 4 before them decide.

    Raises:
        UserError: too little data.
    """
    last = local_of(end).date()
    days = (last - local_of(first).date()).days
    if days < LEAST_DAYS:
        raise UserError(
            f"the homes have {days} days in common; a forecast benchmark needs {LEAST_DAYS}, of which {TEST_DAYS} "
            f"score, {VALIDATION_DAYS} decide, and the rest are learnt from"
        )
    test, validation = (
        day_slots(last - timedelta(days=days)).start for days in (TEST_DAYS, TEST_DAYS + VALIDATION_DAYS)
    )
    return Split(first, validation, test, day_slots(last).start)
