"""What is learnt from, what decides, and what scores: three spans of time that no forecaster may mix."""

from __future__ import annotations

from collections.abc import Sequence
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

_WINDOW_DAYS = 28
"""Days that every origin needs before it, and days of errors that make quantiles."""


@dataclass(frozen=True)
class Split:
    """Slots, local midnights: learn before ``validation``, decide before ``test``, score before ``end``.

    Attributes:
        horizons: names of those that are scored; the longest decides how long before the test forecasts are made.
    """

    first: int
    validation: int
    test: int
    end: int
    horizons: tuple[str, ...] = tuple(HORIZONS)

    def origins(self) -> NDArray[np.int64]:
        """Origins every three hours: to score, and as long before as rolling quantiles need."""
        return np.arange(self.test - DAY * _before_days(self.horizons), self.end - HORIZONS["3h"] + 1, ORIGIN_STEP)


def _before_days(horizons: Sequence[str]) -> int:
    """Days before the test whose forecasts are made, too; for a month ahead 116.

    Twice 28 days of errors, of forecasts that begin as long before as the horizon, and are known as long after.
    """
    return 2 * _WINDOW_DAYS + 2 * _longest_days(horizons)


def _longest_days(horizons: Sequence[str]) -> int:
    return -(-max(HORIZONS[name] for name in horizons) // DAY)


def split_of(first: int, end: int, test_days: int = TEST_DAYS, horizons: Sequence[str] = tuple(HORIZONS)) -> Split:
    """The split of data from slot ``first`` up to ``end``: the last 8 weeks score, the 4 before them decide.

    Args:
        first, end: local midnights.
        test_days: days that score.
        horizons: names of :data:`HORIZONS` that are scored.

    Raises:
        UserError: too little data, or too few days to score the longest horizon on.
    """
    if test_days <= _longest_days(horizons):
        raise UserError(
            f"{test_days} days cannot score a forecast of {_longest_days(horizons)}: give more days, or leave the "
            f"longest of the horizons ({', '.join(horizons)})"
        )
    last = local_of(end).date()
    days = (last - local_of(first).date()).days
    least = _WINDOW_DAYS + _before_days(horizons) + test_days
    if days < least:
        raise UserError(
            f"the homes have {days} days in common; a forecast benchmark needs {least}, of which {test_days} "
            f"score, {VALIDATION_DAYS} decide, and the rest are learnt from"
        )
    test, validation = (
        day_slots(last - timedelta(days=days)).start for days in (test_days, test_days + VALIDATION_DAYS)
    )
    return Split(first, validation, test, day_slots(last).start, tuple(horizons))
