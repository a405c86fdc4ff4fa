"""What a weather file holds, and what a format is.

Two kinds of values stand in a file: radiation, a mean over an interval, and the rest, values at an instant.  A format
says for each record where the interval begins and where the instant lies; everything after that is the same for all.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from datagen.site import Site

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REQUIRED = ("temperature_c", "humidity_pct", "ghi_w_m2", "wind_m_s")
OPTIONAL = ("dni_w_m2", "dhi_w_m2", "rain_mm")
RADIATION = ("ghi_w_m2", "dni_w_m2", "dhi_w_m2")

MOST_GAP_HOURS = 3
"""Longer gaps are refused; shorter ones are interpolated, and said."""
MOST_BYTES = 64 * 1024 * 1024

_BOUNDS = {
    "temperature_c": (-60.0, 60.0),
    "humidity_pct": (0.0, 110.0),
    "ghi_w_m2": (-10.0, 1600.0),
    "dni_w_m2": (-10.0, 1500.0),
    "dhi_w_m2": (-10.0, 1400.0),
    "wind_m_s": (0.0, 75.0),
    "rain_mm": (0.0, 500.0),
}


@dataclass(frozen=True)
class Records:
    """The records of a file, in order; ``n`` of them.

    Attributes:
        name: of the file, for messages.
        site: where it was measured.
        offset_min: the site's standard time less UTC, minutes; -480 in California.
        step_min: 30 or 60.
        start_min: when the interval of each record's radiation begins, minutes since the epoch in UTC; shape ``(n,)``.
        instant_min: how long after that the other values hold, minutes.
        columns: values by name (:data:`REQUIRED` and some of :data:`OPTIONAL`); NaN where missing; shape ``(n,)`` each.
        years_mix: the months are from different years (a typical year); ``start_min`` then jumps.
        notes: what a user should know.
    """

    name: str
    site: Site
    offset_min: int
    step_min: int
    start_min: Ints
    instant_min: int
    columns: dict[str, Floats]
    years_mix: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class WeatherFormat:
    """A format of weather files.

    Attributes:
        name: in messages.
        summary: how a user recognises the format.
        detect: whether a file begins like one; takes its name and its first characters.
        read: the records in a file's text; raises UserError where it is bad.
    """

    name: str
    summary: str
    detect: Callable[[str, str], bool]
    read: Callable[[str, str], Records]


def read_text(path: Path) -> str:
    """Text of a file, whatever its encoding.

    Raises:
        UserError: no such file, or too big a one.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: larger than {MOST_BYTES // 2**20} MiB, no weather file")
        return path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None


def bad_cell(name: str, line: int, column: str, found: str, expected: str) -> UserError:
    """Error about one value; ``line`` counts from 1."""
    return UserError(f"{name}, line {line}, {column}: '{found[:40]}'; expected {expected}")


def parse_number(name: str, line: int, column: str, text: str, missing: tuple[float, ...] = ()) -> float:
    """A number of a file; NaN where it is empty or one of the codes for missing.

    Raises:
        UserError: not a number.
    """
    text = text.strip()
    if text == "" or text.lower() in ("nan", "na", "null", "none"):
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        raise bad_cell(name, line, column, text, "a number") from None
    if not np.isfinite(value):
        raise bad_cell(name, line, column, text, "a finite number")
    return float("nan") if value in missing else value


def parse_integer(name: str, line: int, column: str, text: str, low: int, high: int) -> int:
    """A whole number of a file within bounds.

    Raises:
        UserError: it is none.
    """
    value = parse_number(name, line, column, text)
    if not (low <= value <= high and value == int(value)):
        raise bad_cell(name, line, column, text.strip(), f"a whole number from {low} to {high}")
    return int(value)


def cells_of(line: str) -> list[str]:
    """Cells of a line of CSV, trimmed."""
    try:
        return [cell.strip() for cell in next(csv.reader([line]), [])]
    except csv.Error:
        return [cell.strip() for cell in line.split(",")]


def located(name: str, line: int, place: str, numbers: list[float]) -> tuple[Site, int]:
    """Site and minutes from UTC, of latitude, longitude, hours from UTC and altitude.

    Raises:
        UserError: a place that is not on Earth, or a clock that is not on half-hours.
    """
    latitude, longitude, zone_h, altitude = numbers
    bounds = (("latitude", latitude, 90), ("longitude", longitude, 180), ("time zone", zone_h, 14))
    for label, value, most in (*bounds, ("elevation", altitude, 9000)):
        if not abs(value) <= most:
            raise bad_cell(name, line, label, f"{value:g}", f"a value from {-most} to {most}")
    if zone_h * 2 != round(zone_h * 2):
        raise bad_cell(name, line, "time zone", f"{zone_h:g}", "whole or half hours")
    return Site(place, latitude, longitude, altitude), round(zone_h * 60)


def checked_columns(
    name: str, columns: dict[str, Floats], step_min: int, line_of: Callable[[int], str]
) -> tuple[dict[str, Floats], list[str]]:
    """Columns within physical bounds and without gaps, and what was filled.

    Args:
        name: of the file.
        columns: by name; NaN where missing.
        step_min: between records.
        line_of: how a message names the place of a record.

    Raises:
        UserError: a value that cannot be, or a gap of more than :data:`MOST_GAP_HOURS`.
    """
    filled: dict[str, Floats] = {}
    notes = []
    for column, values in columns.items():
        low, high = _BOUNDS[column]
        wrong = np.flatnonzero((values < low) | (values > high))
        if len(wrong):
            row = int(wrong[0])
            raise UserError(
                f"{name}, {line_of(row)}, {column}: {values[row]:g}; expected a value from {low:g} to {high:g}"
            )
        missing = np.isnan(values)
        if missing.any():
            if column == "rain_mm":
                notes.append("weather: precipitation is missing in places and is not used")
                continue
            first, longest = _longest_run(missing)
            if longest * step_min > MOST_GAP_HOURS * 60:
                raise UserError(
                    f"{name}, {line_of(first)}, {column}: missing for {longest * step_min / 60:g} hours; "
                    f"expected a gap of at most {MOST_GAP_HOURS}"
                )
            present = np.flatnonzero(~missing)
            notes.append(f"weather: {column} was missing in {missing.sum()} records and is interpolated")
            filled[column] = np.interp(np.arange(len(values)), present, values[present])
        else:
            filled[column] = values
        if column in RADIATION:
            filled[column] = np.maximum(filled[column], 0.0)
    return filled, notes


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """First row and length of the longest run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])
