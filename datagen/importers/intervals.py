"""From metered intervals to half-hours: the one way into :class:`common.readings.Readings` for every format.

A format's module parses rows into :class:`Intervals` (UTC, Wh, by channel); :func:`to_readings` checks them and lays
them on slots.  Shorter intervals are summed, hours are split into two equal halves and the facts' ``resolution_slots``
of 2 says so, missing ones are marked.  Nothing is guessed: a contradiction is an error that names its line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.errors import UserError
from common.readings import CHANNELS, MAX_SLOT_WH, Readings
from common.units import SLOT_SECONDS
from datagen.gaps import gaps_of

HOUR_SECONDS = 2 * SLOT_SECONDS
LOAD, SOLAR = "load_wh", "pv_wh"
FIRST_S, END_S = 631_152_000, 4_102_444_800
"""Readings are of the years 1990 to 2099: a slip in a date must not make a table of millions of empty rows."""
_TOLERANCE_WH = 10.0
"""By how much appliances may exceed the load of an interval, through rounding in a file."""

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
        files: names of the files that the rows are from, for messages; none: all are from the one that the caller of
            :func:`to_readings` names.
        file: which of ``files`` each row is from.
        numbered: whether ``line`` counts lines of a file; else messages name a row by its beginning.
    """

    start_s: Ints
    length_s: Ints
    energy_wh: Mapping[str, Floats]
    line: Ints
    files: tuple[str, ...] = ()
    file: Ints | None = None
    numbered: bool = True

    def __len__(self) -> int:
        return len(self.start_s)


def merge(parts: Sequence[tuple[str, Intervals]]) -> Intervals:
    """One home's intervals from several files, each with its name; all have the same channels."""
    intervals = [part for _, part in parts]
    return Intervals(
        start_s=np.concatenate([part.start_s for part in intervals]),
        length_s=np.concatenate([part.length_s for part in intervals]),
        energy_wh={
            name: np.concatenate([part.energy_wh[name] for part in intervals]) for name in intervals[0].energy_wh
        },
        line=np.concatenate([part.line for part in intervals]),
        files=tuple(name for name, _ in parts),
        file=np.repeat(np.arange(len(parts)), [len(part) for part in intervals]),
    )


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


def to_readings(intervals: Intervals, where: str, home: str = "") -> Metered:
    """Half-hours of a home from its intervals.

    Args:
        intervals: as metered.
        where: the file or the home, for errors.
        home: name of the home, for warnings: they are handed on, and a file's name is private; by default ``where``.

    Raises:
        UserError: no readings, intervals of another length, that begin off the grid, that overlap or contradict each
            other, negative or implausible energy, or appliances that exceed the load; with the line.
    """
    if not len(intervals) or not _has_reading(intervals).any():
        raise UserError(f"{', '.join(intervals.files) or where}: no readings")
    _check_grid(intervals, where)
    _check_energies(intervals, where)
    resolution = 2 if (intervals.length_s == HOUR_SECONDS).any() else 1
    first = int(intervals.start_s.min()) // SLOT_SECONDS // resolution * resolution
    end = -(-int((intervals.start_s + intervals.length_s).max()) // SLOT_SECONDS // resolution) * resolution
    order, repeated = _in_order(intervals, where)
    start, length = intervals.start_s[order], intervals.length_s[order]
    energy = {name: values[order] for name, values in intervals.energy_wh.items()}
    present = np.logical_and.reduce([np.isfinite(values) for values in energy.values()])
    rows = (start // SLOT_SECONDS - first) // resolution
    covered = np.zeros((end - first) // resolution, np.int64)
    np.add.at(covered, rows[present], length[present])
    metered = covered == resolution * SLOT_SECONDS
    columns = {name: _whole_wh(rows[present], values[present], metered) for name, values in energy.items()}
    channels = _channels(columns, where, resolution)
    readings = Readings(
        first_slot=first,
        load_wh=_per_slot(columns[LOAD][None], resolution)[0],
        pv_wh=_per_slot(columns.get(SOLAR, np.zeros_like(columns[LOAD]))[None], resolution)[0],
        channels=None if channels is None else _per_slot(channels, resolution),
        metered=None if metered.all() else np.repeat(metered, resolution),
    )
    return Metered(readings, resolution, _notes(readings, repeated, home or where))


def _has_reading(intervals: Intervals) -> NDArray[np.bool_]:
    """Rows with a reading in any channel."""
    return np.asarray(~np.isnan(np.stack(list(intervals.energy_wh.values()))).all(axis=0))


def _at(intervals: Intervals, row: int, where: str) -> str:
    name = where if intervals.file is None else intervals.files[int(intervals.file[row])]
    return f"{name}, {_row_name(intervals, row)}"


def _row_name(intervals: Intervals, row: int) -> str:
    if intervals.numbered:
        return f"line {intervals.line[row]}"
    return f"start_utc {pd.Timestamp(int(intervals.start_s[row]), unit='s'):%Y-%m-%d %H:%M:%S}"


def _check_grid(intervals: Intervals, where: str) -> None:
    """Intervals must be whole hours, half-hours or parts of a half-hour, on the grid of their own length."""
    length, start = intervals.length_s, intervals.start_s
    strange = np.flatnonzero((start < FIRST_S) | (start >= END_S))
    if len(strange):
        row = int(strange[0])
        raise UserError(
            f"{_at(intervals, row, where)}: begins {start[row]} seconds after 1970; expected a time from 1990 to 2099"
        )
    fits = (length == HOUR_SECONDS) | ((length > 0) & (SLOT_SECONDS % np.maximum(length, 1) == 0))
    if not fits.all():
        row = int(np.argmin(fits))
        raise UserError(
            f"{_at(intervals, row, where)}: an interval of {length[row] / 60:g} minutes; "
            "expected 60, 30, 15 or another part of half an hour"
        )
    off = np.flatnonzero(start % length)
    if len(off):
        row = int(off[0])
        raise UserError(
            f"{_at(intervals, row, where)}: an interval of {length[row] / 60:g} minutes that begins "
            f"{start[row] % length[row] / 60:g} minutes late; expected one on the grid of its length"
        )


def _check_energies(intervals: Intervals, where: str) -> None:
    most = MAX_SLOT_WH * intervals.length_s / SLOT_SECONDS
    for name, values in intervals.energy_wh.items():
        bad = np.flatnonzero((values < 0) | (values > most) | np.isinf(values))
        if len(bad):
            row = int(bad[0])
            raise UserError(
                f"{_at(intervals, row, where)}: {name} of {values[row]:g} Wh in "
                f"{intervals.length_s[row] / 60:g} minutes; expected 0 to {most[row]:g} "
                "(is the unit right, and the sign of consumption positive?)"
            )


def _in_order(intervals: Intervals, where: str) -> tuple[Ints, int]:
    """Rows with a reading, by time and without exact repetitions, and how many of these there were.

    A row that says "no reading" contradicts nothing: another file may hold the reading.
    """
    file = np.zeros(len(intervals), np.int64) if intervals.file is None else intervals.file
    order = np.lexsort((intervals.line, file, intervals.start_s))
    order = order[_has_reading(intervals)[order]]
    start, length = intervals.start_s[order], intervals.length_s[order]
    same = np.flatnonzero((start[1:] == start[:-1]) & (length[1:] == length[:-1])) + 1
    for values in intervals.energy_wh.values():
        ordered = values[order]
        same = same[(ordered[same] == ordered[same - 1]) | (np.isnan(ordered[same]) & np.isnan(ordered[same - 1]))]
    kept = np.delete(np.arange(len(order)), same)
    clash = np.flatnonzero(start[kept][1:] < (start + length)[kept][:-1])
    if len(clash):
        first, second = (int(order[kept[int(clash[0]) + k]]) for k in (0, 1))
        same_file = file[first] == file[second]
        other = _row_name(intervals, first) if same_file else _at(intervals, first, where)
        advice = "delete one of the two" if same_file else "are both files of one home?"
        raise UserError(
            f"{_at(intervals, second, where)}: overlaps the interval of {other} with another reading; "
            f"expected each time once ({advice})"
        )
    return order[kept], len(same)


def _whole_wh(rows: Ints, values: Floats, metered: NDArray[np.bool_]) -> Ints:
    """Whole Wh of each half-hour or hour; rounding is carried on, so that the total is kept to the Wh."""
    total = np.where(metered, np.bincount(rows, values, len(metered)), 0.0)
    wh: Ints = np.diff(np.rint(np.cumsum(total)).astype(np.int64), prepend=np.int64(0))
    return wh


def _per_slot(wh: Ints, resolution: int) -> Ints:
    """Half-hours of columns that add up, shape ``(columns, n)``: an hour's halves differ by 1 Wh at most.

    Where several columns are odd their larger halves come first and second in turn, so that this is true of their sum,
    too, and the halves of the sum are those of the columns.
    """
    if resolution == 1:
        return wh
    odd = wh % 2
    first = wh // 2 + odd * (np.cumsum(odd, axis=0) % 2)
    halves: Ints = np.stack([first, wh - first], axis=2).reshape(len(wh), -1)
    return halves


def _channels(columns: Mapping[str, Ints], where: str, resolution: int) -> Ints | None:
    """Appliance channels that add up to the load, None without any.

    What no appliance explains is ``other_wh``; what they exceed it by, through rounding, is taken off the largest.
    """
    if not any(name in columns for name in CHANNELS):
        return None
    zeros = np.zeros_like(columns[LOAD])
    channels = np.stack([columns.get(name, zeros) for name in CHANNELS])
    rest = columns[LOAD] - channels.sum(axis=0)
    worst = int(rest.argmin())
    if rest[worst] < -_TOLERANCE_WH:
        raise UserError(
            f"{where}: half-hour {worst * resolution} from the first reading: appliances add up to {-rest[worst]} Wh "
            "more than the load; expected parts of it"
        )
    channels[CHANNELS.index("other_wh")] += np.maximum(rest, 0)
    excess = np.maximum(-rest, 0)
    while excess.any():
        rows = np.flatnonzero(excess)
        largest = channels[:, rows].argmax(axis=0)
        taken = np.minimum(excess[rows], channels[largest, rows])
        channels[largest, rows] -= taken
        excess[rows] -= taken
    return channels


def _notes(readings: Readings, repeated: int, where: str) -> list[str]:
    notes = [f"{where}: {repeated} rows stand twice with the same reading; taken once"] if repeated else []
    gaps = gaps_of(readings)
    if gaps:
        missing = sum(gap.slots for gap in gaps)
        longest = max(gaps, key=lambda gap: gap.slots)
        what = f"{len(gaps)} gaps, the longest" if len(gaps) > 1 else "1 gap,"
        notes.append(
            f"{where}: {missing} half-hour{'s have' if missing > 1 else ' has'} no reading "
            f"({missing / len(readings):.1%}, {what} {longest}); a run estimates them from the week before"
        )
    return notes
