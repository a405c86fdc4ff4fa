"""Any CSV of one or more homes, with a small TOML file that says what its columns are; the source is the TOML file.

::

    files = ["my-house.csv"]       # relative to this file; several, or "2024-*.csv", are read as one
    minutes = 15                   # optional; else the most frequent step between the rows
    delimiter = ","                # optional: "," ";" or "tab"
    decimal = "."                  # optional: "." or ","
    skip_lines = 0                 # optional: lines before the heading
    # home_column = "home"         # several homes in a file: the column of their ids
    # home_from_file = true        # or each file is a home, named like the file

    [time]
    column = "timestamp"           # or ["Date", "Time"], joined by a space
    timezone = "America/Los_Angeles"   # "UTC", an IANA name, or "offset": each time carries its own
    label = "start"                # or "end": what a time names of its interval
    format = "%m/%d/%Y %H:%M"      # optional; else ISO 8601

    [load]                         # all that the home consumed
    column = "consumption"
    unit = "kWh"                   # Wh, kWh, or mean power in the interval: W, kW
    sign = 1                       # optional; -1 where consumption is negative

    [pv]                           # optional: what the panels made
    column = "solar"
    unit = "kWh"

    [channels.ev]                  # optional: fridge, hvac, ev, water_heater, laundry, other
    column = "car"
    unit = "kWh"

    [home]                         # optional facts
    id = "my-house"
    pv_kw = 5.2
    battery = {capacity_kwh = 13.5, max_power_kw = 5.0}

    [home.car]                     # optional, with [channels.ev]: see datagen.importers.given_car
    charger_kw = 7.2
    sessions = [["2025-06-18 18:05", "2025-06-19 07:40"]]

    [homes.oak]                    # with several homes: facts of one, by id
    pv_kw = 3.0

A meter that knows only what crosses it has ``[import]`` and ``[export]`` in place of ``[load]``: the net load is exact,
but consumption and production behind the meter are not known, and a warning says so.  With ``[pv]`` beside them the
load is import - export + pv.  An empty cell is a gap.  Local times: see :mod:`datagen.importers.walltime`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.errors import UserError
from common.readings import CHANNELS
from datagen.importers.base import Home, ImportedCommunity, Importer
from datagen.importers.given_car import with_car
from datagen.importers.intervals import LOAD, SOLAR, Intervals, merge, to_readings
from datagen.importers.mapping import OFFSET, Mapping, read_mapping
from datagen.importers.net_meter import MAPPED_PREFIX
from datagen.importers.suggestion import DELIMITERS, split_line
from datagen.importers.tables import (
    as_home,
    as_home_id,
    as_intervals,
    bad_row,
    make_private,
    numbers,
    parsed_times,
    present_columns,
    read_text_table,
    refuse_existing,
    require_unique,
    usual_length_s,
    utc_seconds_of,
)
from datagen.importers.walltime import utc_seconds, utc_seconds_of_ends

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WH = {"Wh": 1.0, "kWh": 1000.0, "W": 1.0, "kW": 1000.0}
_POWERS = ("W", "kW")
_LENGTHS_S = (300, 600, 900, 1800, 3600)
_HEADING_LINES = 100
_NOISE_WH = 20.0
"""By how much a load from three meters may fall below zero: they do not read at the same instant."""


@dataclass(frozen=True)
class _Rows:
    """Rows of one home in one file: times (UTC, s; of the label), values by use (NaN: no reading), and lines."""

    file: Path
    time_s: Ints
    values: dict[str, Floats]
    line: Ints


def detect(source: str) -> bool:
    """Whether ``source`` is a TOML file."""
    return Path(source).suffix.lower() == ".toml" and "://" not in source


def named_files(path: Path) -> list[Path]:
    """CSV files that a mapping names.

    Raises:
        UserError: a bad mapping, or a file that is not there.
    """
    return _named(path, read_mapping(path))


def _named(path: Path, mapping: Mapping) -> list[Path]:
    files: list[Path] = []
    for name in mapping.files:
        try:
            found = sorted(path.parent.glob(name)) if "*" in name else [path.parent / name]
            found = [file for file in found if file.is_file()]
        except (OSError, ValueError, NotImplementedError):
            found = []
        if not found:
            raise UserError(f"{path}: key 'files': {name!r} is not beside it; expected paths relative to {path.parent}")
        files += [file for file in found if file not in files]
    return files


def load(source: str) -> ImportedCommunity:
    """Homes of the CSV files that a mapping names.

    Raises:
        UserError: naming the file, line and column, or the mapping's key, and what was expected.
    """
    path = Path(source)
    mapping = read_mapping(path)
    by_home: dict[str, list[_Rows]] = {}
    for file in _named(path, mapping):
        for name, rows in _homes_of_file(path, mapping, file).items():
            by_home.setdefault(name, []).append(rows)
    ids = {name: as_home_id(name) for name in by_home}
    require_unique(ids.values(), source)
    unknown = sorted(mapping.homes.keys() - ids.values())
    if unknown:
        raise UserError(
            f"{path}: key 'homes.{unknown[0]}': no such home (found: {', '.join(sorted(ids.values())[:8])})"
        )
    warnings: list[str] = []
    if mapping.import_ is not None and mapping.pv is None:
        warnings.append(
            "the meter knows the grid only: consumption without a battery (b0) and solar figures are of what "
            "crossed it, not of all that was consumed and produced; net load is exact"
        )
    homes = [_home(path, mapping, ids[name], parts, warnings) for name, parts in by_home.items()]
    return ImportedCommunity(homes, warnings=warnings)


def _homes_of_file(path: Path, mapping: Mapping, file: Path) -> dict[str, _Rows]:
    """The rows of a file by home."""
    table = read_text_table(file, "\t" if mapping.delimiter == "tab" else mapping.delimiter, mapping.skip_lines)
    wanted = [*mapping.time.columns, *(column.column for column in mapping.energy_columns.values())]
    wanted += filter(None, [mapping.home_column])
    missing = next((name for name in wanted if name not in table), None)
    if missing is not None:
        found = ", ".join(map(repr, table.columns[:12]))
        raise UserError(
            f"{file}, line {mapping.skip_lines + 1}: no column {missing!r}, which {path.name} names (found: {found})"
            f"{_where_heading_is(file, wanted)}"
        )
    if mapping.home_column is None:
        home = file.stem if mapping.home_from_file else mapping.home.id or as_home_id(path.stem)
        return {home: _rows(mapping, file, table)}
    ids = table[mapping.home_column].str.strip()
    if (ids == "").any():
        raise _bad(mapping, file, mapping.home_column, int((ids == "").argmax()), "empty; expected the home's id")
    return {str(name): _rows(mapping, file, rows) for name, rows in table.groupby(ids, sort=False)}


def _where_heading_is(file: Path, wanted: list[str]) -> str:
    """Advice, where the columns stand in another line, or between other delimiters."""
    with file.open(encoding="utf-8-sig", errors="replace") as stream:
        lines = list(islice(stream, _HEADING_LINES))
    for at, line in enumerate(lines):
        for delimiter, name in DELIMITERS.items():
            if set(wanted) <= set(split_line(line, delimiter)):
                return f"; they stand in line {at + 1}: write skip_lines = {at} and delimiter = {json.dumps(name)}"
    return "; are delimiter and skip_lines right?"


def _bad(mapping: Mapping, file: Path, column: str, row: int, problem: str) -> UserError:
    return bad_row(file, row, column, problem, mapping.skip_lines + 1)


def _rows(mapping: Mapping, file: Path, table: pd.DataFrame) -> _Rows:
    """Rows of one home; ``table`` is indexed by the row in the file."""
    index = table.index.to_numpy(np.int64)

    def error(column: str, row: int, problem: str) -> UserError:
        return _bad(mapping, file, column, int(index[row]), problem)

    values = {
        use: numbers(table[c.column], partial(error, c.column), mapping.decimal == ",", c.sign * _WH[c.unit])
        for use, c in mapping.energy_columns.items()
    }
    time = mapping.time
    text = table[time.columns[0]]
    for name in time.columns[1:]:
        text = text + " " + table[name]
    bad_time = partial(error, " ".join(time.columns))
    advice = "; the key 'format' of [time] says how they are written"
    if time.timezone == OFFSET:
        seconds = utc_seconds_of(parsed_times(text, bad_time, time.format, utc=True, advice=advice))
    else:
        wall = parsed_times(text, bad_time, time.format, advice=advice)
        if time.timezone == "UTC":
            seconds = utc_seconds_of(wall)
        else:
            convert = utc_seconds_of_ends if time.label == "end" else utc_seconds
            seconds = convert(wall, time.timezone, bad_time)
    return _Rows(file, seconds, values, index + mapping.skip_lines + 2)


def _home(path: Path, mapping: Mapping, home_id: str, parts: list[_Rows], warnings: list[str]) -> Home:
    """A home of its rows in one or more files."""
    said = mapping.homes.get(home_id)
    minutes = (said and said.minutes) or mapping.home.minutes or mapping.minutes
    usual_s = usual_length_s(np.concatenate([part.time_s for part in parts]))
    length_s = 60 * minutes if minutes else usual_s
    if not minutes:
        _refuse_mixed(parts, home_id, path)
    elif usual_s in _LENGTHS_S and usual_s != length_s:
        raise UserError(
            f"{path}: key 'minutes' is {minutes}, but rows of home {home_id} are {usual_s // 60} minutes apart; "
            f"write {usual_s // 60}, or leave it out"
        )
    if length_s is None:
        raise UserError(f"{parts[0].file}: one row of home {home_id}; write its length as 'minutes' in {path.name}")
    joined = merge([(str(part.file), _intervals(mapping, part, length_s)) for part in parts])
    where = str(parts[0].file) if len(parts) == 1 else f"{path} ({len(parts)} files)"
    where += f", home {home_id}" if mapping.home_column else ""
    metered = to_readings(present_columns(joined), where, home_id)
    net = mapping.import_ is not None and mapping.pv is None
    home = as_home(mapping.facts(home_id, f"{MAPPED_PREFIX if net else 'csv:'}{path.name}"), metered, warnings)
    return with_car(home, mapping.car(home_id), f"{path}, home {home_id}", warnings)


def _refuse_mixed(parts: list[_Rows], home_id: str, path: Path) -> None:
    """Raise UserError where a file changes its step on the way: no length can be right for all of its rows."""
    steps = np.diff(np.unique(np.concatenate([part.time_s for part in parts])))
    usual = {length: int((steps == length).sum()) for length in _LENGTHS_S}
    ranked = sorted(usual, key=lambda length: -usual[length])
    if usual[ranked[1]] > max(0.05 * len(steps), 8):
        raise UserError(
            f"{parts[0].file}: rows of home {home_id} are {ranked[0] // 60} minutes apart in some places and "
            f"{ranked[1] // 60} in others; split the file, and write 'minutes' in a mapping for each (now {path.name})"
        )


def _intervals(mapping: Mapping, rows: _Rows, length_s: int) -> Intervals:
    """Rows as intervals of ``length_s`` seconds, energies in Wh."""
    energy = {
        use: rows.values[use] * (length_s / 3600 if column.unit in _POWERS else 1.0)
        for use, column in mapping.energy_columns.items()
    }
    if mapping.import_ is not None:
        drawn, fed = energy.pop("import"), energy.pop("export", None)
        if mapping.pv is not None:
            load = drawn + energy["pv"] - (0.0 if fed is None else fed)
            energy["load"] = np.where((load < 0) & (load > -_NOISE_WH), 0.0, load)
        else:
            energy["load"] = drawn
            energy |= {} if fed is None else {"pv": fed}
    named = {{"load": LOAD, "pv": SOLAR}.get(use, use): values for use, values in energy.items()}
    start_s = rows.time_s - (length_s if mapping.time.label == "end" else 0)
    return Intervals(start_s, np.full_like(start_s, length_s), named, rows.line)


def save(homes: Sequence[Home], path: Path) -> None:
    """Write all homes to one CSV file, Wh in the interval, and the mapping beside it.

    Intervals are those of each home (30 or 60 minutes), times are UTC, gaps are empty cells.  Weather is left out.

    Args:
        homes: with different ids.
        path: ``homes.toml`` (the source for :func:`load`) or ``homes.csv``; both are written.

    Raises:
        UserError: one of them is there already.
    """
    if path.suffix not in ("", ".csv", ".toml"):
        raise UserError(f"{path}: expected a name that ends in .toml or .csv")
    csv, toml = path.with_suffix(".csv"), path.with_suffix(".toml")
    for file in (csv, toml):
        refuse_existing(file)
    require_unique((facts.home_id for facts, _ in homes), str(path))
    tables: list[pd.DataFrame] = []
    uses: set[str] = set()
    lines: list[str] = []
    for facts, readings in homes:
        intervals = as_intervals(facts, readings)
        table = pd.DataFrame(intervals.energy_wh).round().astype("Int64")
        table.insert(0, "home", facts.home_id)
        table.insert(1, "start_utc", pd.to_datetime(intervals.start_s, unit="s").strftime("%Y-%m-%d %H:%M"))
        tables.append(table)
        uses |= set(intervals.energy_wh)
        known = facts.model_dump(exclude={"home_id", "resolution_slots", "source"}, exclude_none=True)
        lines += [f"[homes.{facts.home_id}]", f"minutes = {int(intervals.length_s[0]) // 60}"]
        lines += [*(f"{key} = {_toml(value)}" for key, value in known.items()), ""]
    if not tables:
        raise UserError(f"{path}: no homes to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables, ignore_index=True).to_csv(csv, index=False)
    head = [f"files = [{_toml(csv.name)}]", 'home_column = "home"', "", "[time]", 'column = "start_utc"']
    head += ['timezone = "UTC"', ""]
    for use in filter(uses.__contains__, (LOAD, SOLAR, *CHANNELS)):
        name = {LOAD: "load", SOLAR: "pv"}.get(use, f"channels.{use.removesuffix('_wh')}")
        head += [f"[{name}]", f'column = "{use}"', 'unit = "Wh"', ""]
    toml.write_text("\n".join(head + lines), encoding="utf-8")
    for file in (csv, toml):
        make_private(file)


def _toml(value: object) -> str:
    """A value in TOML: texts, numbers and lists are written as in JSON, but for DEL."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_toml(item)}' for key, item in value.items())}}}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


IMPORTER = Importer("csv", "a TOML file that maps the columns of a CSV beside it", detect, load, save, True)
