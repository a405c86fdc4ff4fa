"""Dust on solar panels: it builds up day by day and rain washes it off.

The model of Kimber et al. 2006 (doi:10.1109/WCPEC.2006.279690), as pvlib has it: a steady daily loss, from which rain
of some depth frees the panels, and damp ground keeps them clean for a while after.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.units import SLOTS_PER_DAY
from datagen.site import STANDARD_OFFSET_SLOTS

Floats = NDArray[np.float64]

WASHING_MM_PER_DAY = 6.0
"""Kimber's threshold."""
DAMP_DAYS = 14
"""Days after rain without new dust; Kimber's two weeks."""
RAINY_INDEX = 0.40
"""A day with less of a cloudless day's irradiation counts as a washing rain where precipitation is not known: some 16
days a year in Oakland, 8 in San Diego, 3 in Palm Springs."""
FIRST_DUSTY_DAYS = 30.0
"""Days of dust that lie on the panels when the data begins."""
MOST_LOSS = 0.12
"""Somebody washes panels that are dimmer than this, or the wind and dew do."""


def dusty_days(first_slot: int, ghi_w_m2: Floats, clear_ghi_w_m2: Floats, rain_mm: Floats | None) -> Floats:
    """Days over which dust has built up, by slot.

    Args:
        first_slot: of the arrays.
        ghi_w_m2, clear_ghi_w_m2: irradiance and that of a cloudless sky, shape ``(n,)``; they tell rainy days where
            ``rain_mm`` is None.
        rain_mm: precipitation of each slot, or None.

    Returns:
        Days since the last washing rain and the damp days after it, whole; shape ``(n,)``.
    """
    from pvlib.soiling import kimber

    day = (np.arange(len(ghi_w_m2)) + first_slot + STANDARD_OFFSET_SLOTS) // SLOTS_PER_DAY
    row = day - day[0]
    if rain_mm is not None:
        rain_by_day = np.bincount(row, rain_mm)
    else:
        grey = np.bincount(row, ghi_w_m2) < RAINY_INDEX * np.bincount(row, clear_ghi_w_m2)
        rain_by_day = np.where(grey, 2 * WASHING_MM_PER_DAY, 0.0)
    if len(rain_by_day) < 2:
        return np.full(len(row), FIRST_DUSTY_DAYS)
    days = pd.to_datetime(day[0] + np.arange(len(rain_by_day)), unit="D")
    dust = kimber(
        pd.Series(rain_by_day, index=pd.DatetimeIndex(days)),
        cleaning_threshold=WASHING_MM_PER_DAY, soiling_loss_rate=1.0, grace_period=DAMP_DAYS, max_soiling=np.inf,
        initial_soiling=FIRST_DUSTY_DAYS,
    )  # fmt: skip
    return np.asarray(np.asarray(dust, np.float64)[row], np.float64)


def clean_share(dusty: Floats, loss_per_day: float) -> Floats:
    """Share of the light that the dust lets through, 1 on clean panels; shape ``(n,)``."""
    return np.asarray(1 - np.minimum(dusty * loss_per_day, MOST_LOSS), np.float64)
