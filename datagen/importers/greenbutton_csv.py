"""PG&E's "Download My Data" (Green Button) CSV, as other utilities on the same platform (Opower) write it, too.

::

    Name,...                      the preamble: name, address, account, service. Never read, never shown.
    TYPE,DATE,START TIME,END TIME,IMPORT (kWh),EXPORT (kWh),COST,NOTES      net-metered homes
    TYPE,DATE,START TIME,END TIME,USAGE (kWh),COST,NOTES                    others
    TYPE,DATE,START TIME,END TIME,USAGE,UNITS,COST,NOTES                    until about 2023
    Electric usage,2024-01-31,00:00,00:14,0.12,$0.05                        NOTES, or both, may be left out

Rows are of 15, 30 or 60 minutes; END TIME is the last minute of the interval; dates are 2024-01-31 or 1/31/2024, times
local.  A cell without a number is an interval without a reading.  Gas rows are passed over.  PG&E rounds energies to
10 Wh.  A negative USAGE is an export.

What others found in real files.  Layouts: github.com/hansendc/pge-green-button (2021: USAGE and UNITS),
SumedhSankhe/PG-E-Data-Visualizer (2025: quarter-hours, USAGE (kWh)), scharton/pge (names of files).  Daylight saving:
eman/tariffkit, from a quarter-hourly export of 2025-26: the 25-hour day has 96 rows, the repeated hour stands once; in
spring a 02:00 that never was stands for 03:00, and 03:15 follows.  Another parser that was checked against an hourly
export says the same of both days, and takes autumn's one row for the sum of both hours.  So here: a single 01:00 is the
first of the two and the other is a gap; two are both, in order; a 02:00 that the clocks skip is 03:00 if no row is
that, else an error.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.clock import TIMEZONE
from common.errors import UserError
from common.units import WH_PER_KWH
from datagen.importers.base import ImportedCommunity, Importer
from datagen.importers.files import SourceFile, any_looks_like, homes_of
from datagen.importers.greenbutton_csv_export import save
from datagen.importers.intervals import Floats, Intervals
from datagen.importers.net_meter import Ints, community_of, registers_wh
from datagen.importers.walltime import utc_seconds, without_skipped

CLOCK = ("DATE", "START TIME", "END TIME")
IMPORT, EXPORT, USAGE_KWH, USAGE, UNITS = "IMPORT (KWH)", "EXPORT (KWH)", "USAGE (KWH)", "USAGE", "UNITS"
EXPECTED = "expected PG&E's interval CSV with a heading TYPE,DATE,START TIME,END TIME,..."
HOW = "on pge.com choose Green Button, 'Export usage for a range of days', CSV"
_HEADING = re.compile(
    rb'^\s*"?TYPE"?\s*,\s*"?(?:DATE"?\s*,\s*"?START TIME|START DATE)|^\s*"?Electric usage"?\s*,',
    re.IGNORECASE | re.MULTILINE,
)
"""Of intervals; of bills, and rows without a heading, of which the importer says what is wrong."""
_ROW = re.compile(r'\s*"?(?:Electric usage|Natural gas usage|Gas usage)"?\s*,', re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")
_NOT_ASCII = re.compile(r"[^\t\x20-\x7e]")
_HEADING_LINES = 200
_MOST_COLUMNS = 64
_NUMBER = r"[-+]?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"


def detect(source: str) -> bool:
    """Whether a file, or one of a folder or archive, has a heading or rows of PG&E's."""
    return any_looks_like(source, ".csv", lambda head: _HEADING.search(head.replace(b"\0", b"")) is not None)


def load(source: str) -> ImportedCommunity:
    """Homes of a CSV file, of a folder of them, or of a zip archive (:mod:`datagen.importers.files`).

    Raises:
        UserError: naming the file, line and column, and what was expected.
    """
    homes, notes = [], _Notes()
    for files in homes_of(source, ".csv"):
        parts = [(file.label, intervals) for file in files if (intervals := read_intervals(file, notes)) is not None]
        if parts:
            homes.append(parts)
    if not homes:
        raise UserError(f"{source}: gas usage only; expected electric usage in kWh ({HOW})")
    return community_of(homes, "csv", notes.lines())


@dataclass
class _Notes:
    """Counts of rows of which a user should know."""

    gas: int = 0
    estimated: int = 0
    moved: int = 0

    def lines(self) -> list[str]:
        texts = {
            f"{self.gas} rows of natural gas passed over": self.gas,
            f"{self.estimated} readings are the utility's estimates": self.estimated,
            f"{self.moved} rows carry the hour that the clocks skip in spring; read as the hour after it": self.moved,
        }
        return [text for text, count in texts.items() if count]


@dataclass(frozen=True)
class _Rows:
    """Electric rows below the heading: cells by column name, and each row's line in the file."""

    label: str
    cells: dict[str, pd.Series]
    line: Ints

    def bad(self, row: int, column: str, problem: str) -> UserError:
        return UserError(f"{self.label}, line {self.line[row]}, column {column}: {problem}")

    def quoted(self, row: int, column: str) -> str:
        """A cell for a message; only what can be a number, a date or a unit is repeated."""
        cell = str(self.cells[column].iloc[row])
        return repr(cell) if re.fullmatch(r"[\w.:/$+-]{1,20}", cell) else "the cell"


def read_intervals(file: SourceFile, notes: _Notes) -> Intervals | None:
    """Electric intervals of one file, in its order; None if it holds gas only.

    Raises:
        UserError: another format, or a bad row.
    """
    lines = _lines(file)
    gas = _gas_rows(lines)
    if gas:
        notes.gas += gas
        return None
    at, heading = _heading(file.label, lines)
    rows = _electric(file.label, heading, _table(file.label, heading, lines, at), at, notes)
    if rows is None:
        return None
    imported_wh, exported_wh = _energies(rows, heading)
    day, start, end = _days(rows), _minutes(rows, "START TIME"), _minutes(rows, "END TIME")
    wall = pd.DatetimeIndex(day + start.astype("timedelta64[m]"))
    wall, moved = without_skipped(wall, TIMEZONE)
    notes.moved += moved
    if "NOTES" in rows.cells:
        notes.estimated += int(rows.cells["NOTES"].str.contains("estimat", case=False, regex=False).sum())
    start_s = utc_seconds(wall, TIMEZONE, lambda row, text: rows.bad(row, "START TIME", text))
    known = ~np.isnan(imported_wh + exported_wh)  # an empty cell has told which of two repeated hours is missing
    return Intervals(
        start_s=start_s[known],
        length_s=60 * ((end - start)[known] % (24 * 60) + 1),
        energy_wh=registers_wh(imported_wh[known], exported_wh[known]),
        line=rows.line[known],
    )


def _lines(file: SourceFile) -> list[str]:
    """Lines of a file, below the preamble of plain text alone.

    Raises:
        UserError: no text, or bytes in a row that are none, with its line.
    """
    data = file.content()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4096]:
        raise UserError(f"{file.label}: UTF-16 or binary, not plain text; save it as 'CSV UTF-8'")
    if not data.strip():
        raise UserError(f"{file.label}: empty; {EXPECTED}")
    try:
        text, strange = data.decode("utf-8-sig"), _CONTROL
    except UnicodeDecodeError:
        text, strange = data.decode("latin-1"), _NOT_ASCII  # accents of a name in the preamble; the table is ASCII
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    at = next((at for at, line in enumerate(lines) if _ROW.match(line)), len(lines))
    for number, line in enumerate(lines[at:], start=at + 1):
        if strange.search(line):
            raise UserError(f"{file.label}, line {number}: damaged, not all of it is text; download the file again")
    return lines


def _gas_rows(lines: list[str]) -> int:
    """Rows of a file that holds gas only, whatever columns it has; 0 for any other file."""

    def kind(line: str) -> str:
        return line.split(",", maxsplit=1)[0].strip().strip('"').strip().lower()

    at = next((at for at, line in enumerate(lines[:_HEADING_LINES]) if kind(line) == "type"), None)
    rows = [] if at is None else [kind(line) for line in lines[at + 1 :] if line.strip(", ")]
    return len(rows) if rows and all(row.startswith(("natural gas", "gas usage")) for row in rows) else 0


def _heading(label: str, lines: list[str]) -> tuple[int, list[str]]:
    """Index of the heading's line, and its columns in capitals."""
    for at, line in enumerate(lines[:_HEADING_LINES]):
        columns = [cell.strip().strip('"').strip().upper() for cell in line.split(",")]
        if columns[0] == "TYPE" and {"START DATE", "END DATE"} <= set(columns):
            raise UserError(f"{label}, line {at + 1}: a summary of bills; expected intervals ({HOW})")
        if columns[0] == "TYPE" and len({"DATE", "START TIME", "END TIME"} & set(columns)) >= 2:
            energies = [USAGE, UNITS] if USAGE in columns else [USAGE_KWH]
            if IMPORT in columns or EXPORT in columns:
                energies = [IMPORT, EXPORT]
            for name in (*CLOCK, *energies):
                if name not in columns:
                    shown = name.replace("KWH", "kWh")
                    found = ", ".join(filter(None, columns[:12]))
                    raise UserError(
                        f"{label}, line {at + 1}: column {shown} is missing (found: {found}); {EXPECTED}; of another "
                        "layout write a mapping (docs/data.md, 'Any CSV')"
                    )
                if columns.count(name) > 1:
                    raise UserError(f"{label}, line {at + 1}: column {name} stands twice; {EXPECTED}")
            return at, columns
    if any(mark in "\n".join(lines[:_HEADING_LINES]).lower() for mark in ("<html", "<!doctype")):
        raise UserError(f"{label}: a web page, not a CSV file; log in and download it again ({HOW})")
    raise UserError(f"{label}: no heading found; {EXPECTED} ({HOW})")


def _table(label: str, heading: list[str], lines: list[str], at: int) -> pd.DataFrame:
    """Cells below the heading as text, one row a line; ``""`` where a row is shorter."""
    body = lines[at + 1 :]
    if body and not body[-1]:
        body = body[:-1]
    elif len(body) > 1 and body[-1].count(",") < body[-2].count(","):
        raise UserError(f"{label}, line {len(lines)}: breaks off; download the file again, or delete its last line")
    if not any(line.strip(", ") for line in body):
        raise UserError(f"{label}: no rows below the heading; choose a longer range of days")
    width = max(line.count(",") for line in body) + 1
    if width > _MOST_COLUMNS:
        raise _too_wide(label, at + 2 + max(range(len(body)), key=lambda k: body[k].count(",")), width, len(heading))
    try:
        table = pd.read_csv(
            io.StringIO("\n".join(body) + "\n"), header=None, names=range(max(width, len(heading))), dtype=str,
            keep_default_na=False, na_filter=False, skip_blank_lines=False, index_col=False,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError):
        table = pd.DataFrame()
    if len(table) != len(body):
        quoted = next((k for k, line in enumerate(body) if line.count('"') % 2), 0)
        raise UserError(f"{label}, line {at + 2 + quoted}: cannot be split into cells; expected closed quotes")
    table = table.fillna("")
    surplus = np.flatnonzero((table.iloc[:, len(heading) :] != "").any(axis=1))
    if len(surplus):
        row = int(surplus[0])
        filled = int(np.flatnonzero(np.asarray(table.iloc[row] != ""))[-1]) + 1
        raise _too_wide(label, at + 2 + row, filled, len(heading))
    return table


def _too_wide(label: str, line: int, cells: int, expected: int) -> UserError:
    return UserError(f"{label}, line {line}: {cells} cells; expected {expected}, as in the heading")


def _electric(label: str, heading: list[str], table: pd.DataFrame, at: int, notes: _Notes) -> _Rows | None:
    """Electric rows; None where there is gas only.

    Raises:
        UserError: a row of another type.
    """
    cells = {name: table[k].str.strip() for k, name in enumerate(heading)}
    filled = np.asarray((table != "").any(axis=1))
    kind = cells["TYPE"].str.lower()
    electric, gas = np.asarray(kind == "electric usage"), np.asarray(kind.str.startswith(("natural gas", "gas usage")))
    line = np.arange(len(table)) + at + 2
    strange = np.flatnonzero(filled & ~electric & ~gas)
    if len(strange):
        raise UserError(
            f"{label}, line {line[strange[0]]}, column TYPE: neither 'Electric usage' nor 'Natural gas usage'; "
            "expected rows of one download below its heading"
        )
    notes.gas += int(gas.sum())
    if not electric.any():
        return None
    return _Rows(
        label, {name: column[electric].reset_index(drop=True) for name, column in cells.items()}, line[electric]
    )


def _energies(rows: _Rows, heading: list[str]) -> tuple[Floats, Floats]:
    """Imported and exported energy of each row, Wh; NaN where there is no reading."""
    if IMPORT in heading:
        columns = [_wh(rows, name) for name in (IMPORT, EXPORT)]
        for name, values in zip((IMPORT, EXPORT), columns, strict=True):
            negative = np.flatnonzero(values < 0)
            if len(negative):
                row, shown = int(negative[0]), name.replace("KWH", "kWh")
                raise rows.bad(row, shown, f"{rows.quoted(row, name)} is negative; expected 0 or more")
        return columns[0], columns[1]
    if UNITS in heading:
        other = np.flatnonzero(rows.cells[UNITS].str.lower() != "kwh")
        if len(other):
            row = int(other[0])
            raise rows.bad(row, UNITS, f"{rows.quoted(row, UNITS)}; expected kWh")
    net = _wh(rows, USAGE if UNITS in heading else USAGE_KWH)
    return np.where(net < 0, 0.0, net), np.where(net < 0, -net, net * 0.0)


def _wh(rows: _Rows, name: str) -> Floats:
    cells = rows.cells[name]
    empty = np.asarray(cells == "")
    bad = np.flatnonzero(~empty & ~np.asarray(cells.str.fullmatch(_NUMBER)))
    if len(bad):
        row = int(bad[0])
        raise rows.bad(row, name.replace("KWH", "kWh"), f"{rows.quoted(row, name)} is not a number; expected kWh")
    return np.asarray(cells.where(~empty, "nan").astype(np.float64)) * WH_PER_KWH


def _distinct(rows: _Rows, name: str) -> tuple[NDArray[np.int64], list[str], list[int]]:
    """For each row the number of its cell's text, the texts, and the first row of each."""
    codes, texts = pd.factorize(rows.cells[name])
    first = np.unique(codes, return_index=True)[1]
    return np.asarray(codes, np.int64), [str(text) for text in texts], first.tolist()


def _days(rows: _Rows) -> NDArray[np.datetime64]:
    """Local date of each row."""
    codes, texts, first = _distinct(rows, "DATE")
    days = []
    for text, row in zip(texts, first, strict=True):
        iso, us = re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)", text), re.fullmatch(r"(\d\d?)/(\d\d?)/(\d{4})", text)
        try:
            year, month, day = (int(k) for k in (iso.groups() if iso else (us[3], us[1], us[2]) if us else ()))
            found = date(year, month, day)
        except ValueError:
            found = date.min
        if not 1990 <= found.year < 2100:
            raise rows.bad(row, "DATE", f"{rows.quoted(row, 'DATE')} is not a date; expected one like 2024-01-31")
        days.append(found)
    return np.array(days, "datetime64[D]").astype("datetime64[s]")[codes]


def _minutes(rows: _Rows, name: str) -> Ints:
    """Minutes after midnight of each row."""
    codes, texts, first = _distinct(rows, name)
    minutes = []
    for text, row in zip(texts, first, strict=True):
        found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
        if not found:
            raise rows.bad(row, name, f"{rows.quoted(row, name)} is not a time; expected one like 00:15")
        minutes.append(60 * int(found[1]) + int(found[2]))
    return np.array(minutes, np.int64)[codes]


IMPORTER = Importer(
    "greenbutton-csv", "PG&E's Green Button CSV: a file, a folder or the zip as downloaded", detect, load, save
)
