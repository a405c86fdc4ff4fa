"""What a user should know of imported homes, or confirm: an assumed battery, an unlikely year, a short history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from common.clock import day_slots, local_of
from common.readings import Readings
from common.units import SLOT_HOURS, WH_PER_KWH
from datagen.source import Home

LEAST_HISTORY_DAYS = 56
USUAL_TEST_DAYS = 28
"""Days that ``evaluate`` tests unless it is told otherwise."""
LEAST_KWH_PER_YEAR, MOST_KWH_PER_YEAR = 300, 100_000
"""What the meter of a home that is lived in counts; a slip of the unit is a factor of 1,000."""
_MOST_NAMES = 3


def assumed_batteries(homes: Sequence[Home]) -> list[str]:
    """A note on the homes of whose battery the data says nothing: they get the usual one."""
    unsaid = [facts for facts, _ in homes if "battery" not in facts.model_fields_set]
    if not unsaid:
        return []
    usual = unsaid[0].battery
    return [
        f"{_some([facts.home_id for facts in unsaid])}: battery: {usual.capacity_kwh:g} kWh, {usual.max_power_kw:g} kW "
        "assumed; 'python -m datagen import' with --battery-kwh and --battery-kw says another"
    ]


def unlikely_years(homes: Sequence[Home]) -> list[str]:
    """A note on each home whose meter counts far less or far more in a year than homes do."""
    notes = []
    for facts, readings in homes:
        kwh = kwh_per_year(readings, readings.load_wh) + kwh_per_year(readings, readings.pv_wh)
        if not LEAST_KWH_PER_YEAR <= kwh <= MOST_KWH_PER_YEAR:
            notes.append(f"{facts.home_id}: its meter counts {kwh:,.0f} kWh a year; is the unit right?")
    return notes


def short_history(homes: Sequence[Home]) -> list[str]:
    """A note if the homes' days in common do not suffice for a run, or for the usual evaluation."""
    days = count_days(whole_days(homes))
    what = f"{days} whole day{'' if days == 1 else 's'}{' in common' if len(homes) > 1 else ''}"
    usual = LEAST_HISTORY_DAYS + USUAL_TEST_DAYS
    if days <= LEAST_HISTORY_DAYS:
        return [
            f"{what}: a run needs {LEAST_HISTORY_DAYS + 1}, of which {LEAST_HISTORY_DAYS} are history, and 'evaluate' "
            f"{usual} for its usual {USUAL_TEST_DAYS} test days; download a longer range"
        ]
    if days < usual:
        return [
            f"{what}: 'evaluate' needs {usual} for its usual {USUAL_TEST_DAYS} test days; give it --days "
            f"{days - LEAST_HISTORY_DAYS}, or download a longer range"
        ]
    return []


def whole_days(homes: Sequence[Home]) -> tuple[date, date]:
    """First and last local day that all homes cover whole; the last lies before the first where there is none."""
    first_slot, end_slot = max(r.first_slot for _, r in homes), min(r.end_slot for _, r in homes)
    first = local_of(first_slot).date()
    if day_slots(first).start < first_slot:
        first += timedelta(days=1)
    return first, local_of(end_slot).date() - timedelta(days=1)


def count_days(days: tuple[date, date]) -> int:
    """Days from a first to a last one."""
    return max((days[1] - days[0]).days + 1, 0)


def kwh_per_year(readings: Readings, energy_wh: NDArray[np.int64]) -> float:
    """Energy of the metered slots, scaled to a year of 365 days, kWh."""
    chosen = energy_wh if readings.metered is None else energy_wh[readings.metered]
    return float(chosen.mean()) * 365 * 24 / SLOT_HOURS / WH_PER_KWH if len(chosen) else 0.0


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
