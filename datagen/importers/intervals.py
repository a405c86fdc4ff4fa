"""From metered intervals to half-hours: the one way into :class:`common.readings.Readings` for every format.

A format's module parses rows into :class:`Intervals` (UTC, Wh, by channel); :func:`to_readings` checks them and lays
them on slots.  Shorter intervals are summed, hours are split into two equal halves and the facts' ``resolution_slots``
of 2 says so, missing ones are marked.  Nothing is guessed: a contradiction is an error that names its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.readings import CHANNELS, MAX_SLOT_WH, Readings
from common.units import SLOT_SECONDS
from datagen.gaps import gaps_of

HOUR_SECONDS = 2 * SLOT_SECONDS
LOAD, SOLAR = "load_wh", "pv_wh"
_TOLERANCE_WH = 10.0
"""By how much appliances may exceed the load of a half-hour, through rounding in a file."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Intervals:
    """What a meter said of one home, in any order; arrays of shape ``(n,)``.

    Attributes:
        start_s: beginning of each interval, seconds since the epoch (UTC).
        length_s: its length in seconds: 3600, 1800, or a divisor of 1800.
        energy_wh: energy by channel: ``load_wh``, and optionally ``pv_wh`` and any of ``CHANNELS``; NaN where the
            file says that there is no reading.
        line: line (or record) of the file, for messages.
    """

    start_s: Ints
    length_s: Ints
    energy_wh: Mapping[str, Floats]
    line: Ints

    def __len__(self) -> int:
        return len(self.start_s)


@dataclass(frozen=True)
class Metered:
    """Half-hours of one home.

    Attributes:
        readings: gaps marked, with zero energy.
        resolution_slots: as in the home's facts.
        warnings: what was mended or is missing.
    """

    readings: Readings
    resolution_slots: int
    warnings: list[str] = field(default_factory=list)


def to_readings(intervals: Intervals, where: str) -> Metered:
    """Half-hours of a home from its intervals.

    Args:
        intervals: as metered.
        where: the file, for messages.

    Raises:
        UserError: no rows, intervals of another length, that begin off the grid, that overlap or contradict each other,
            negative or implausible energy, or appliances that exceed the load; with the line.
    """
    if not len(intervals):
        raise UserError(f"{where}: no readings")
    _check_grid(intervals, where)
    _check_energies(intervals, where)
    order, repeated = _in_order(intervals, where)
    start, length = intervals.start_s[order], intervals.length_s[order]
    energy = {name: values[order] for name, values in intervals.energy_wh.items()}
    resolution = 2 if (length == HOUR_SECONDS).any() else 1
    first = int(start[0]) // SLOT_SECONDS // resolution * resolution
    end = -(-int(start[-1] + length[-1]) // SLOT_SECONDS // resolution) * resolution
    present = np.logical_and.reduce([np.isfinite(values) for values in energy.values()])
    rows = (start // SLOT_SECONDS - first) // resolution
    covered = np.zeros((end - first) // resolution, np.int64)
    np.add.at(covered, rows[present], length[present])
    metered = covered == resolution * SLOT_SECONDS
    columns = {name: _whole_wh(rows[present], values[present], metered, resolution) for name, values in energy.items()}
    metered = np.repeat(metered, resolution)
    load_wh = columns[LOAD]
    channels = _channels(columns, where)
    readings = Readings(
        first_slot=first,
        load_wh=load_wh if channels is None else channels.sum(axis=0),
        pv_wh=columns.get(SOLAR, np.zeros_like(load_wh)),
        channels=channels,
        metered=None if metered.all() else metered,
    )
    return Metered(readings, resolution, _notes(readings, repeated, where))


def _check_grid(intervals: Intervals, where: str) -> None:
    """Intervals must be whole hours, half-hours or parts of a half-hour, on the grid of their own length."""
    length, start = intervals.length_s, intervals.start_s
    fits = (length == HOUR_SECONDS) | ((length > 0) & (SLOT_SECONDS % np.maximum(length, 1) == 0))
    if not fits.all():
        row = int(np.argmin(fits))
        raise UserError(
            f"{where}, line {intervals.line[row]}: an interval of {length[row] / 60:g} minutes; "
            "expected 60, 30, 15 or another part of half an hour"
        )
    off = np.flatnonzero(start % length)
    if len(off):
        row = int(off[0])
        raise UserError(
            f"{where}, line {intervals.line[row]}: an interval of {length[row] / 60:g} minutes that begins "
            f"{start[row] % length[row] / 60:g} minutes late; expected one on the grid of its length"
        )


def _check_energies(intervals: Intervals, where: str) -> None:
    most = MAX_SLOT_WH * intervals.length_s / SLOT_SECONDS
    for name, values in intervals.energy_wh.items():
        bad = np.flatnonzero((values < 0) | (values > most) | np.isinf(values))
        if len(bad):
            row = int(bad[0])
            raise UserError(
                f"{where}, line {intervals.line[row]}: {name} of {values[row]:g} Wh in "
                f"{intervals.length_s[row] / 60:g} minutes; expected 0 to {most[row]:g} "
                "(is the unit right, and the sign of consumption positive?)"
            )


def _in_order(intervals: Intervals, where: str) -> tuple[Ints, int]:
    """Rows by time without exact repetitions, and how many of these there were."""
    order = np.lexsort((intervals.line, intervals.start_s))
    start, length = intervals.start_s[order], intervals.length_s[order]
    same = np.flatnonzero((start[1:] == start[:-1]) & (length[1:] == length[:-1])) + 1
    for values in intervals.energy_wh.values():
        ordered = values[order]
        same = same[(ordered[same] == ordered[same - 1]) | (np.isnan(ordered[same]) & np.isnan(ordered[same - 1]))]
    kept = np.delete(np.arange(len(order)), same)
    clash = np.flatnonzero(start[kept][1:] < (start + length)[kept][:-1])
    if len(clash):
        first, second = (int(intervals.line[order[kept[int(clash[0]) + k]]]) for k in (0, 1))
        raise UserError(
            f"{where}, line {second}: overlaps the interval of line {first} with another reading; "
            "expected each time once (delete one of the two)"
        )
    return order[kept], len(same)


def _whole_wh(rows: Ints, values: Floats, metered: NDArray[np.bool_], resolution: int) -> Ints:
    """Whole Wh of each slot; rounding is carried on, so that the total is kept to the Wh."""
    total = np.where(metered, np.bincount(rows, values, len(metered)), 0.0)
    wh: Ints = np.diff(np.rint(np.cumsum(total)).astype(np.int64), prepend=np.int64(0))
    return wh if resolution == 1 else np.stack([wh - wh // 2, wh // 2], axis=1).ravel()


def _channels(columns: Mapping[str, Ints], where: str) -> Ints | None:
    """Appliance channels that add up to the load: what no appliance explains is ``other_wh``; None without any."""
    if not any(name in columns for name in CHANNELS):
        return None
    zeros = np.zeros_like(columns[LOAD])
    channels = np.stack([columns.get(name, zeros) for name in CHANNELS])
    rest = columns[LOAD] - channels.sum(axis=0)
    worst = int(rest.argmin())
    if rest[worst] < -_TOLERANCE_WH:
        raise UserError(
            f"{where}: half-hour {worst} from the first reading: appliances add up to {-rest[worst]} Wh more than the "
            "load; expected parts of it"
        )
    channels[CHANNELS.index("other_wh")] += np.maximum(rest, 0)
    return channels


def _notes(readings: Readings, repeated: int, where: str) -> list[str]:
    notes = [f"{where}: {repeated} rows stand twice with the same reading; taken once"] if repeated else []
    gaps = gaps_of(readings)
    if gaps:
        missing = sum(gap.slots for gap in gaps)
        longest = max(gaps, key=lambda gap: gap.slots)
        notes.append(
            f"{where}: {missing / len(readings):.1%} of the half-hours have no reading, in {len(gaps)} gaps, the "
            f"longest {longest}; estimated from a week before"
        )
    return notes
