"""What the tables of several formats share: CSV files and times as text in, a home's readings as rows out."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.errors import UserError
from common.readings import CHANNELS, HomeFacts, Readings
from common.units import SLOT_HOURS, SLOT_SECONDS, WH_PER_KWH
from datagen.importers.base import Home, unrated_note
from datagen.importers.intervals import HOUR_SECONDS, LOAD, SOLAR, Intervals, Metered

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Table = Mapping[str, Floats]

FIRST_YEAR, LAST_YEAR = 1990, 2099
NO_READING = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))
"""What files write where there is no reading, in lower case."""


def bad_row(path: Path, row: int, column: str, problem: str, heading_line: int = 1) -> UserError:
    """Error about a row of a table; ``row`` counts from 0 after the heading."""
    return UserError(f"{path}, line {row + heading_line + 1}, column {column}: {problem}")


def read_table(path: Path, columns: tuple[str, ...], energies: tuple[str, ...] = ()) -> dict[str, Floats]:
    """Columns of a CSV file as numbers, all finite; ``energies`` among them may not be negative.

    Raises:
        UserError: a missing file or column, text or a gap where a number belongs, or a negative energy.
    """
    if not path.is_file():
        raise UserError(f"{path}: the schema names this file, but it is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the heading lose cells
            found = pd.read_csv(path, skip_blank_lines=False, low_memory=False, index_col=False)
    except (ValueError, OSError, pd.errors.ParserWarning) as error:  # pandas' own and Unicode errors are ValueErrors
        raise _no_table(path, ",", 0, error) from None
    missing = [name for name in columns if name not in found]
    if missing:
        raise UserError(f"{path}: column {missing[0]} is missing (found: {', '.join(map(str, found.columns))})")
    if found.empty:
        raise UserError(f"{path}: no rows below the heading")
    return {name: _finite(path, name, found[name], name in energies) for name in columns}


def _finite(path: Path, name: str, column: pd.Series, energy: bool) -> Floats:
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        given = column.iloc[int(bad[0])]
        problem = "empty" if pd.isna(given) else f"{given!r} is not a finite number"
        raise bad_row(path, int(bad[0]), name, f"{problem}; expected a number")
    negative = np.flatnonzero(values < 0) if energy else np.zeros(0, np.int64)
    if len(negative):
        row = int(negative[0])
        raise bad_row(path, row, name, f"{values[row]:g} is negative; expected 0 or more")
    return values


def read_text_table(path: Path, delimiter: str = ",", skip_lines: int = 0) -> pd.DataFrame:
    """A CSV file as text, one row a line; nothing is interpreted.

    Args:
        path: of the file, in UTF-8.
        delimiter: between cells.
        skip_lines: lines before the heading.

    Raises:
        UserError: a missing file, one that is no table, or two columns of one name.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        table = pd.read_csv(
            path, sep=delimiter, skiprows=skip_lines, dtype=str, keep_default_na=False, na_filter=False,
            skip_blank_lines=False, index_col=False, encoding="utf-8-sig", header=None, engine="c", low_memory=False,
        )  # fmt: skip
    except (ValueError, OSError, OverflowError) as error:
        raise _no_table(path, delimiter, skip_lines, error) from None
    _refuse_open_quote(path, skip_lines, len(table))
    names = [str(name).strip() for name in table.iloc[0]]
    twice = [name for name in names if names.count(name) > 1 and name]
    if twice:
        raise UserError(f"{path}, line {skip_lines + 1}: two columns are named {twice[0]!r}; rename one of them")
    table = table.iloc[1:].reset_index(drop=True).fillna("")
    table.columns = pd.Index(names)
    filled = np.flatnonzero((table != "").any(axis=1))
    if not len(filled):
        raise UserError(f"{path}: no rows below the heading")
    return table.iloc[: filled[-1] + 1]  # files may end in empty lines


def _no_table(path: Path, delimiter: str, skip_lines: int, error: Exception) -> UserError:
    """What keeps a file from being a table, with its line where it can be told, of what pandas says of it."""
    if isinstance(error, UnicodeDecodeError):
        return UserError(f"{path}: not text in UTF-8; save it as 'CSV UTF-8'")
    if isinstance(error, pd.errors.EmptyDataError):
        below = f"no line below the first {skip_lines}; is skip_lines right?"
        return UserError(f"{path}: {below if skip_lines else 'the file is empty; download or save it again'}")
    _refuse_open_quote(path, skip_lines)  # it makes one row of two lines, so that rows are no lines
    wide = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if wide:
        return UserError(f"{path}, line {wide[2]}: {wide[3]} cells; expected {wide[1]}, as in the heading")
    return UserError(f"{path}: not a table with {delimiter!r} between its cells ({_first_line(error)})")


def _refuse_open_quote(path: Path, skip_lines: int, rows: int | None = None) -> None:
    """Raise UserError at the first quote that is not closed in its line; not if there are as many lines as ``rows``."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        odd = [line.count('"') % 2 == 1 for line in stream][skip_lines:]
    if len(odd) != rows and any(odd):
        line = odd.index(True) + skip_lines + 1
        raise UserError(f"{path}, line {line}: a quote that is not closed in its line; expected closed quotes")


def numbers(
    text: pd.Series, bad: Callable[[int, str], UserError], decimal_comma: bool = False, scale: float = 1.0
) -> Floats:
    """Numbers of a column of text, times ``scale``; NaN where it says that there is no reading.

    Args:
        text: cells.
        bad: makes the error about a row (from 0).
        decimal_comma: ``1,5`` is one and a half.
        scale: factor.

    Raises:
        UserError: a cell that is no number, or an infinite one.
    """
    cells = text.str.strip()
    plain = cells.str.replace(",", ".", regex=False).mask(cells.str.contains(".", regex=False), "?") if (
        decimal_comma
    ) else cells  # fmt: skip
    values = np.asarray(pd.to_numeric(plain, errors="coerce"), np.float64) * scale
    absent = np.asarray(cells.str.lower().isin(NO_READING))
    wrong = np.flatnonzero(~np.isfinite(values) & ~absent)
    if len(wrong):
        mark = "a decimal comma" if decimal_comma else "a decimal point"
        row = int(wrong[0])
        raise bad(row, f"{cells.iloc[row]!r} is not a number; expected one with {mark}, or nothing for no reading")
    return np.where(absent, np.nan, values)


def utc_seconds_of(moments: pd.DatetimeIndex) -> Ints:
    """Seconds since the epoch of moments without gaps; naive ones are taken as UTC."""
    aware = moments.tz_localize("UTC") if moments.tz is None else moments
    return np.asarray((aware - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1), np.int64)


def parsed_times(
    text: pd.Series, bad: Callable[[int, str], UserError], format_: str = "", utc: bool = False, advice: str = ""
) -> pd.DatetimeIndex:
    """Times of a column of text, none of them missing.

    Args:
        text: cells.
        bad: makes the error about a row (from 0).
        format_: as of ``strptime``; empty for ISO 8601.
        utc: times carry their offset (or are UTC), and the result is aware; else naive.
        advice: what else would mend a time that is none.

    Raises:
        UserError: no time, one with an offset where none is expected, or one outside of the years 1990 to 2099.
    """
    cells = text.str.strip()
    expected = f"one like {format_!r}" if format_ else "one like 2024-03-10 00:30 (ISO 8601)"
    if not utc:
        offset = cells.str.contains(r"\d:\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)$", regex=True)
        if offset.any():
            row = int(np.argmax(offset))
            raise bad(row, f'{cells.iloc[row]!r} carries an offset; expected none (or write timezone = "offset")')
    try:
        times = pd.DatetimeIndex(pd.to_datetime(cells, format=format_ or "ISO8601", errors="coerce", utc=utc))
    except (ValueError, TypeError, OverflowError) as error:  # a format that is none, or offsets that differ
        raise bad(0, f"cannot read times by the format {format_!r} ({_first_line(error)})") from None
    if not utc and times.tz is not None:
        raise bad(0, 'the format has an offset; write timezone = "offset"')
    require_times(times, lambda row: f"{cells.iloc[row]!r}", expected, bad, advice)
    return times


def require_times(
    times: pd.DatetimeIndex,
    given: Callable[[int], str],
    expected: str,
    bad: Callable[[int, str], UserError],
    advice: str = "",
) -> None:
    """Raise UserError where a time is missing or outside of the years 1990 to 2099."""
    wrong = np.flatnonzero(times.isna() | (times.year < FIRST_YEAR) | (times.year > LAST_YEAR))
    if len(wrong):
        row = int(wrong[0])
        raise bad(row, f"{given(row)} is not a time; expected {expected}, {FIRST_YEAR} to {LAST_YEAR}{advice}")


def usual_length_s(times_s: Ints) -> int | None:
    """Length of the intervals between ascending or mixed times, s: the most frequent step; None for a single time."""
    steps = np.diff(np.unique(times_s))
    if not len(steps):
        return None
    values, counts = np.unique(steps, return_counts=True)
    return int(values[int(counts.argmax())])


def as_home_id(name: str) -> str:
    """An id for a home of any name: letters, digits, ``-`` and ``_``, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:64] or "home"


def require_unique(ids: Iterable[str], where: str) -> None:
    """Raise UserError where two homes have one id."""
    seen: set[str] = set()
    for home_id in ids:
        if home_id in seen:
            raise UserError(
                f"{where}: two homes are named '{home_id}'; expected names that differ in letters or digits"
            )
        seen.add(home_id)


def as_home(facts: HomeFacts, metered: Metered, notes: list[str]) -> Home:
    """A home of its facts and its readings; what is worth a warning goes to ``notes``.

    Solar power that no fact rates is rated at its highest half-hour, rounded up to 0.1 kW.
    """
    notes.extend(metered.warnings)
    facts = facts.model_copy(update={"resolution_slots": metered.resolution_slots})
    highest_wh = int(metered.readings.pv_wh.max(initial=0))
    if highest_wh and not facts.pv_kw:
        pv_kw = math.ceil(highest_wh / SLOT_HOURS / WH_PER_KWH * 10) / 10
        facts = facts.model_copy(update={"pv_kw": pv_kw})
        notes.append(unrated_note(facts.home_id, pv_kw))
    return facts, metered.readings


def as_intervals(facts: HomeFacts, readings: Readings) -> Intervals:
    """The intervals that a home's readings stand for: hours for an hourly home, NaN in its gaps.

    The inverse of :func:`datagen.importers.intervals.to_readings`.

    Raises:
        UserError: an hourly home whose readings are not whole hours, or no readings.
    """
    slots = facts.resolution_slots
    if not len(readings):
        raise UserError(f"home {facts.home_id}: no readings")
    if readings.first_slot % slots or len(readings) % slots:
        raise UserError(f"home {facts.home_id}: hourly readings that begin or end at half past; expected whole hours")
    columns = {LOAD: readings.load_wh, SOLAR: readings.pv_wh}
    if readings.channels is not None:
        columns |= dict(zip(CHANNELS, readings.channels, strict=True))
    length = HOUR_SECONDS if slots == 2 else SLOT_SECONDS
    count = len(readings) // slots
    known = np.ones(count, np.bool_) if readings.metered is None else readings.metered.reshape(-1, slots).all(axis=1)
    energy = {
        name: np.where(known, values.reshape(-1, slots).sum(axis=1), np.nan).astype(np.float64)
        for name, values in columns.items()
    }
    start = readings.first_slot * SLOT_SECONDS + length * np.arange(count, dtype=np.int64)
    return Intervals(start, np.full(count, length, np.int64), energy, np.arange(count, dtype=np.int64) + 2)


def present_columns(intervals: Intervals) -> Intervals:
    """Intervals without the optional columns that hold no value at all: what the home has not."""
    kept = {n: v for n, v in intervals.energy_wh.items() if n == LOAD or not np.isnan(v).all()}
    return replace(intervals, energy_wh=kept)


def make_private(path: Path) -> None:
    """Keep a file for its owner: a home's readings are not for others."""
    path.chmod(0o600)


def refuse_existing(path: Path) -> None:
    """Raise UserError where something is at ``path`` already, other than an empty folder."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path}: exists already; name another, so that nothing is overwritten")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
