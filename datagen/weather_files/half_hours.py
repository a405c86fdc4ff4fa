"""The records of a file as half-hours, for the dates of the file or for any others.

An hour's mean radiation goes to its two halves in the proportion of the cloudless sky, so that its sum is kept and
nothing is shifted.  Values at instants are interpolated to the middle of each half-hour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.errors import UserError
from common.units import SLOT_SECONDS
from datagen.site import STANDARD_OFFSET_SLOTS, Sky, sky_of
from datagen.weather import Weather, split_ghi
from datagen.weather_files.base import RADIATION, Floats, Ints, Records
from datagen.weather_files.sequence import YEAR_MIN, minute_of_year, stamp

SLOT_MIN = SLOT_SECONDS // 60
_MARGIN = 2
"""Slots taken beyond either end, so that the hours at the ends are whole."""


@dataclass(frozen=True)
class _Lookup:
    """Where the values of each slot are.

    Attributes:
        earlier, later: record that holds the first and the second quarter of an hour of each slot; -1 for none.
        at_middle: interpolates a column of instants to the middle of each slot.
    """

    earlier: Ints
    later: Ints
    at_middle: Callable[[Floats], Floats]


def observed(records: Records, slots: range) -> Weather:
    """Weather of those very dates.

    Raises:
        UserError: a typical year, or a file that does not cover ``slots``.
    """
    if records.years_mix:
        raise UserError(
            f"{records.name}: a typical year, with months of different years; it cannot give weather of known dates"
        )
    wide = _widened(slots)
    begin = np.arange(wide.start, wide.stop) * SLOT_MIN

    def record_at(minute: Ints) -> Ints:
        row = np.searchsorted(records.start_min, minute, side="right") - 1
        within = (row >= 0) & (minute < records.start_min[row] + records.step_min)
        return np.where(within, row, -1)

    instants = records.start_min + records.instant_min
    lookup = _Lookup(
        record_at(begin + SLOT_MIN // 4),
        record_at(begin + 3 * SLOT_MIN // 4),
        lambda values: np.interp(begin + SLOT_MIN / 2, instants, values),
    )
    _check_covered(records, lookup, wide)
    return _weather(records, lookup, slots)


def typical(records: Records, slots: range) -> Weather:
    """Weather as in the file's year, laid over other dates by month, day and hour of standard time.

    29 February takes 28 February.  Where the file has several years, the last one counts.

    Raises:
        UserError: a file that does not hold a whole year.
    """
    wide = _widened(slots)
    begin = np.arange(wide.start, wide.stop) * SLOT_MIN
    of_year = minute_of_year(records.start_min + records.offset_min)
    step, phase = records.step_min, int(of_year[0] % records.step_min)
    row_of = np.full(YEAR_MIN // step, -1, np.int64)
    row_of[(of_year - phase) // step] = np.arange(len(of_year))
    if (row_of < 0).any():
        gap = stamp(int(np.flatnonzero(row_of < 0)[0]) * step + phase)[5:]
        raise UserError(f"{records.name}: no record for {gap}, standard time; expected a whole year")

    def record_at(minute: Ints) -> Ints:
        shifted = (minute_of_year(minute + records.offset_min) - phase) % YEAR_MIN
        return np.asarray(row_of[shifted // step], np.int64)

    middle = minute_of_year(begin + SLOT_MIN // 2 + records.offset_min)
    instants = np.arange(len(row_of)) * step + phase + records.instant_min
    lookup = _Lookup(
        record_at(begin + SLOT_MIN // 4),
        record_at(begin + 3 * SLOT_MIN // 4),
        lambda values: np.interp(middle, instants, values[row_of], period=YEAR_MIN),
    )
    return _weather(records, lookup, slots)


def _widened(slots: range) -> range:
    return range(slots.start - _MARGIN, slots.stop + _MARGIN)


def _check_covered(records: Records, lookup: _Lookup, wide: range) -> None:
    inside = slice(_MARGIN, len(wide) - _MARGIN)
    missing = np.flatnonzero((lookup.earlier[inside] < 0) | (lookup.later[inside] < 0))
    if not len(missing):
        return
    minute = (wide.start + _MARGIN + int(missing[0])) * SLOT_MIN
    first, last = int(records.start_min[0]), int(records.start_min[-1]) + records.step_min
    raise UserError(
        f"{records.name}: no weather for {stamp(minute)} UTC; it covers {stamp(first)} to {stamp(last)} UTC"
        + (", with gaps" if first <= minute < last else "")
    )


def _weather(records: Records, lookup: _Lookup, slots: range) -> Weather:
    """Weather of ``slots`` from the records that ``lookup`` names."""
    wide = _widened(slots)
    sky = sky_of(wide, records.site)
    radiation = {name: _radiation(records, name, lookup, sky) for name in RADIATION if name in records.columns}
    inside = slice(_MARGIN, len(wide) - _MARGIN)
    ghi = radiation["ghi_w_m2"][inside]
    narrow = Sky(sky.zenith_deg[inside], sky.azimuth_deg[inside], sky.clear_ghi_w_m2[inside])
    if "dni_w_m2" in radiation and "dhi_w_m2" in radiation:
        direct, diffuse = radiation["dni_w_m2"][inside], radiation["dhi_w_m2"][inside]
    else:
        direct, diffuse = split_ghi(ghi, narrow.zenith_deg, _day_of_year(slots))
    rain = records.columns.get("rain_mm")
    return Weather(
        first_slot=slots.start,
        temperature_c=lookup.at_middle(records.columns["temperature_c"])[inside],
        humidity_pct=lookup.at_middle(records.columns["humidity_pct"])[inside].clip(0.0, 100.0),
        irradiance_w_m2=ghi,
        wind_m_s=lookup.at_middle(records.columns["wind_m_s"])[inside],
        direct_normal_w_m2=direct,
        diffuse_w_m2=diffuse,
        sky=narrow,
        site=records.site,
        rain_mm=None if rain is None else _slot_means(rain, lookup)[inside] * SLOT_MIN / records.step_min,
        notes=tuple(records.notes),
    )


def _slot_means(values: Floats, lookup: _Lookup) -> Floats:
    """Mean over each slot of values that hold for whole records."""
    return np.asarray((values[lookup.earlier] + values[lookup.later]) / 2, np.float64)


def _radiation(records: Records, name: str, lookup: _Lookup, sky: Sky) -> Floats:
    """Radiation of each slot: dark where the sun is down; the sum over each record is kept where it is up at all."""
    means = _slot_means(records.columns[name], lookup)
    up = sky.clear_ghi_w_m2 > 0
    if records.step_min <= SLOT_MIN or records.start_min[0] % SLOT_MIN:
        return np.where(up, means, 0.0)
    shape = up.astype(np.float64) if name == "dni_w_m2" else sky.clear_ghi_w_m2
    hour = np.cumsum(np.diff(lookup.earlier, prepend=lookup.earlier[0]) != 0)
    of_hour = np.bincount(hour, shape) / np.bincount(hour)
    weight = np.divide(shape, of_hour[hour], out=np.zeros_like(shape), where=of_hour[hour] > 0)
    return np.asarray(means * weight, np.float64)


def _day_of_year(slots: range) -> Ints:
    standard = np.arange(slots.start, slots.stop) + STANDARD_OFFSET_SLOTS
    return np.asarray(pd.DatetimeIndex(pd.to_datetime(standard * SLOT_SECONDS, unit="s")).day_of_year, np.int64)
