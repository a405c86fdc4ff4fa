"""Slots on the clock that the sun keeps, and series that persist on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter

from common.units import SLOT_SECONDS, SLOTS_PER_DAY
from datagen.site import STANDARD_OFFSET_SLOTS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StandardTime:
    """Standard-time axis of ``n`` slots that lie within ``d`` days.

    Attributes:
        days: fractional days since the epoch; shape ``(n,)``.
        hours: hour of the day, 0.0 .. 23.5; shape ``(n,)``.
        noons: noon of each day, two days beyond the slots at either end, in days since the epoch; shape ``(d,)``.
        day_of_year: 1..366; shape ``(n,)``.
        years: that the slots touch.
    """

    days: Floats
    hours: Floats
    noons: Floats
    day_of_year: NDArray[np.int64]
    years: range

    @staticmethod
    def of(slots: range) -> StandardTime:
        """Axis of contiguous ``slots``."""
        standard = np.arange(slots.start, slots.stop) + STANDARD_OFFSET_SLOTS
        first, last = slots.start // SLOTS_PER_DAY - 2, slots.stop // SLOTS_PER_DAY + 2
        index = pd.DatetimeIndex(pd.to_datetime(standard * SLOT_SECONDS, unit="s"))
        return StandardTime(
            days=standard / SLOTS_PER_DAY,
            hours=(standard % SLOTS_PER_DAY) / 2,
            noons=np.arange(first, last, dtype=np.float64) + 0.5,
            day_of_year=np.asarray(index.day_of_year, np.int64),
            years=range(index[0].year, index[-1].year + 1),
        )

    def by_month(self, values: tuple[float, ...]) -> Floats:
        """Monthly values, interpolated between the middles of the months; shape ``(n,)``."""
        return np.interp(self.day_of_year, np.arange(12) * 30.44 + 15.5, values, period=365.25)

    def by_day(self, values: Floats) -> Floats:
        """Values of the days at ``noons``, interpolated; shape ``(n,)``."""
        return np.interp(self.days, self.noons, values)


def persistent(rng: np.random.Generator, shape: int | tuple[int, ...], correlation: float) -> Floats:
    """First-order autoregressive series along the last axis, with mean 0 and variance 1."""
    noise = rng.standard_normal(shape)
    noise[..., 1:] *= np.sqrt(1 - correlation**2)
    return np.asarray(lfilter([1.0], [1.0, -correlation], noise, axis=-1), np.float64)
