"""Homes in a database: any that SQLAlchemy reaches; the source is its URL, or an SQLite file.

::

    CREATE TABLE homes (                     -- optional, and so is every column but the id
      home_id                  VARCHAR(64) PRIMARY KEY,
      pv_kw                    DOUBLE PRECISION,
      connection_kw            DOUBLE PRECISION,
      timezone                 VARCHAR(64),
      archetype                VARCHAR(64),
      battery_capacity_kwh     DOUBLE PRECISION,
      battery_min_soc          DOUBLE PRECISION,
      battery_max_soc          DOUBLE PRECISION,
      battery_max_power_kw     DOUBLE PRECISION,
      battery_round_trip_efficiency DOUBLE PRECISION
    );
    CREATE TABLE readings (
      home_id    VARCHAR(64) NOT NULL,
      start_utc  TIMESTAMP WITH TIME ZONE NOT NULL,  -- or naive (UTC), ISO text, or seconds since the epoch
      minutes    INTEGER NOT NULL,                   -- 60, 30, 15, ...
      load_wh    DOUBLE PRECISION,                   -- NULL: no reading
      pv_wh      DOUBLE PRECISION,                   -- optional, like the channels:
      fridge_wh  DOUBLE PRECISION, hvac_wh DOUBLE PRECISION, ev_wh DOUBLE PRECISION,
      water_heater_wh DOUBLE PRECISION, laundry_wh DOUBLE PRECISION, other_wh DOUBLE PRECISION,
      PRIMARY KEY (home_id, start_utc)
    );

A query stands in place of the table ``readings`` and gives the same columns.  Nothing is ever written when homes are
loaded: one SELECT, in a transaction that is read-only where the database knows such, and rolled back.  Rows are fetched
in chunks.  Passwords are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa
from numpy.typing import NDArray
from pydantic import ValidationError
from sqlalchemy.engine import URL, Connection

from common.config import BatterySpec
from common.errors import UserError
from common.readings import CHANNELS, HomeFacts
from datagen.importers.base import Home, ImportedCommunity, Importer
from datagen.importers.intervals import LOAD, SOLAR, Intervals, to_readings
from datagen.importers.sql_access import (
    as_text,
    database_url,
    is_database_file,
    reading,
    refuse_all_but_select,
    shown,
    writing,
)
from datagen.importers.tables import (
    FIRST_YEAR,
    LAST_YEAR,
    as_home,
    as_home_id,
    as_intervals,
    make_private,
    parsed_times,
    present_columns,
    refuse_existing,
    require_times,
    require_unique,
    utc_seconds_of,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CHUNK_ROWS = 50_000
ENERGIES = (LOAD, SOLAR, *CHANNELS)
REQUIRED = ("home_id", "start_utc", "minutes", LOAD)
QUERY_EXAMPLE = '"SELECT meter AS home_id, time AS start_utc, 30 AS minutes, kwh * 1000 AS load_wh FROM ..."'
BATTERY_COLUMNS = {f"battery_{name}": name for name in BatterySpec.model_fields}
FACT_COLUMNS = ("pv_kw", "connection_kw", "timezone", "archetype")

_SCHEMA = sa.MetaData()
HOMES = sa.Table(
    "homes",
    _SCHEMA,
    sa.Column("home_id", sa.String(64), primary_key=True),
    sa.Column("pv_kw", sa.Double),
    sa.Column("connection_kw", sa.Double),
    sa.Column("timezone", sa.String(64)),
    sa.Column("archetype", sa.String(64)),
    *(sa.Column(name, sa.Double) for name in BATTERY_COLUMNS),
)
READINGS = sa.Table(
    "readings",
    _SCHEMA,
    sa.Column("home_id", sa.String(64), primary_key=True),
    sa.Column("start_utc", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("minutes", sa.Integer, nullable=False),
    *(sa.Column(name, sa.Double) for name in ENERGIES),
)


def detect(source: str) -> bool:
    """Whether ``source`` is a URL, or an SQLite file."""
    return "://" in source or is_database_file(Path(source))


def load(source: str) -> ImportedCommunity:
    """Homes of a database with the tables ``readings`` and, optionally, ``homes``.

    Raises:
        UserError: a missing database, driver, table or column, or bad data: the home, the column, what was expected.
    """
    return _load(database_url(source), None)


def load_query(url: str, query: str) -> ImportedCommunity:
    """Homes of a query that gives the columns of ``readings``; facts come from the table ``homes`` where there is one.

    Args:
        url: of the database.
        query: one SELECT, or WITH ... SELECT.

    Raises:
        UserError: as :func:`load`; or a statement that does more than read.
    """
    return _load(database_url(url), refuse_all_but_select(query))


def _load(url: URL, query: str | None) -> ImportedCommunity:
    warnings: list[str] = []
    with reading(url) as connection:
        tables = sa.inspect(connection)
        facts = _facts(connection, url, warnings) if tables.has_table("homes") else None
        if query is None and not tables.has_table("readings"):
            found = ", ".join(tables.get_table_names()[:12]) or "none"
            raise UserError(f"{shown(url)}: no table 'readings' (found: {found}); make one, or give a --query")
        statement = query or "SELECT * FROM readings ORDER BY home_id, start_utc"
        by_home = _intervals(connection, statement, f"{shown(url)}, {'query' if query else 'readings'}", warnings)
    if not by_home:
        raise UserError(f"{shown(url)}: no readings")
    require_unique(map(as_home_id, by_home), shown(url))
    source = f"sql:{Path(url.database or '').name}"
    homes = []
    for name, intervals in by_home.items():
        given = (facts or {}).get(name)
        if facts is not None and given is None:
            warnings.append(f"{name} is not in the table 'homes'; it is taken as a usual home")
        known = (given or HomeFacts(home_id=as_home_id(name))).model_copy(update={"source": source})
        homes.append(as_home(known, to_readings(intervals, f"{shown(url)}, home {name}", known.home_id), warnings))
    idle = sorted((facts or {}).keys() - by_home.keys())
    if idle and query is None:
        warnings.append(f"{len(idle)} homes have no readings and are left out, {idle[0]} the first of them")
    return ImportedCommunity(homes, warnings=warnings)


def _facts(connection: Connection, url: URL, warnings: list[str]) -> dict[str, HomeFacts]:
    """Facts of the table ``homes`` by the id as it stands there."""
    where = f"{shown(url)}, homes"
    result = connection.execute(sa.text("SELECT * FROM homes"))
    names = [str(name) for name in result.keys()]  # noqa: SIM118 -- a result is no mapping
    if "home_id" not in names:
        raise UserError(f"{where}: column home_id is missing (found: {', '.join(names)})")
    _note_ignored(names, ("home_id", *FACT_COLUMNS, *BATTERY_COLUMNS), where, warnings)
    facts: dict[str, HomeFacts] = {}
    for row in result.mappings():
        given = {name: value for name, value in row.items() if value is not None}
        name = str(given.get("home_id", ""))
        battery = {key: given[column] for column, key in BATTERY_COLUMNS.items() if column in given}
        try:
            facts[name] = HomeFacts.model_validate(
                {key: given[key] for key in FACT_COLUMNS if key in given}
                | {"home_id": as_home_id(name)}
                | ({"battery": battery} if battery else {})
            )
        except ValidationError as error:
            first = error.errors()[0]
            column = "_".join(str(part) for part in first["loc"]) or "battery"
            raise UserError(f"{where}, home {name}, column {column}: {first['msg']}") from None
    return facts


def _note_ignored(names: Sequence[str], known: Sequence[str], where: str, warnings: list[str]) -> None:
    ignored = [name for name in names if name not in known]
    if ignored:
        warnings.append(
            f"{where.rsplit(', ', 1)[-1]}: columns that are not read: {', '.join(ignored)} (known: {', '.join(known)})"
        )


def _intervals(connection: Connection, statement: str, where: str, warnings: list[str]) -> dict[str, Intervals]:
    """Intervals by the homes' ids as they stand in the database."""
    streaming = connection.execution_options(stream_results=True, max_row_buffer=CHUNK_ROWS)
    result = streaming.execute(as_text(statement))
    names = [str(name) for name in result.keys()]  # noqa: SIM118
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        what = f"column {missing[0]} is" if len(missing) == 1 else f"columns {', '.join(missing)} are"
        raise UserError(f"{where}: {what} missing (found: {', '.join(names)}); as in {QUERY_EXAMPLE}")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{where}: column {twice[0]} occurs twice; name the columns of the query one by one")
    energies = [name for name in ENERGIES if name in names]
    _note_ignored(names, (*REQUIRED[:3], *ENERGIES), where, warnings)
    chunks: list[pd.DataFrame] = []
    for rows in result.partitions(CHUNK_ROWS):
        table = pd.DataFrame(rows, columns=names)
        chunks.append(_chunk(table, energies, where))
    if not chunks:
        return {}
    whole = pd.concat(chunks, ignore_index=True)
    by_home: dict[str, Intervals] = {}
    for home_id, part in whole.groupby("home_id", sort=False):
        line = part.index.to_numpy(np.int64) + 1
        energy = {key: part[key].to_numpy(np.float64) for key in energies}
        start_s, length_s = part["start_s"].to_numpy(np.int64), part["length_s"].to_numpy(np.int64)
        by_home[str(home_id)] = present_columns(Intervals(start_s, length_s, energy, line, numbered=False))
    return by_home


def _chunk(table: pd.DataFrame, energies: Sequence[str], where: str) -> pd.DataFrame:
    """Rows as numbers, checked: ``home_id``, ``start_s``, ``length_s`` and the energies, Wh."""

    def bad(column: str, row: int, problem: str) -> UserError:
        home, start = (str(table[name].iloc[row])[:60] for name in ("home_id", "start_utc"))
        return UserError(f"{where}, home_id {home}, start_utc {start}, column {column}: {problem}")

    absent = np.asarray(table["home_id"].isna())
    if absent.any():
        raise bad("home_id", int(absent.argmax()), "empty; expected the home's id")
    minutes = _numbers(table["minutes"], lambda row, problem: bad("minutes", row, problem))
    wrong = np.flatnonzero(~((minutes >= 1) & (minutes <= 60) & (minutes % 1 == 0)))
    if len(wrong):
        row = int(wrong[0])
        raise bad("minutes", row, f"{minutes[row]:g}; expected 60, 30, 15 or another part of half an hour")
    columns: dict[str, object] = {
        "home_id": table["home_id"].astype(str),
        "start_s": _start_s(table["start_utc"], lambda row, problem: bad("start_utc", row, problem)),
        "length_s": (60 * minutes).astype(np.int64),
    }
    for name in energies:
        columns[name] = _numbers(table[name], partial(bad, name))
    return pd.DataFrame(columns)


def _numbers(column: pd.Series, bad: Callable[[int, str], UserError]) -> Floats:
    """Numbers; NaN for NULL."""
    values = np.asarray(pd.to_numeric(column, errors="coerce"), np.float64)
    wrong = np.flatnonzero((np.isnan(values) & np.asarray(column.notna())) | np.isinf(values))
    if len(wrong):
        row = int(wrong[0])
        raise bad(row, f"{str(column.iloc[row])[:60]!r} is not a number; expected one, or NULL for no reading")
    return values


def _start_s(column: pd.Series, bad: Callable[[int, str], UserError]) -> Ints:
    """Seconds since the epoch: of moments, of ISO text, or as they stand; naive ones are UTC."""
    absent = np.asarray(column.isna())
    if absent.any():
        raise bad(int(absent.argmax()), "empty; expected a time")
    kind = pd.api.types.infer_dtype(column, skipna=False)
    if kind == "string":
        return utc_seconds_of(parsed_times(column, bad, utc=True))
    if kind in ("integer", "floating", "decimal", "mixed-integer-float"):
        seconds = _numbers(column, bad)
        low, high = (pd.Timestamp(year, 1, 1).timestamp() for year in (FIRST_YEAR, LAST_YEAR + 1))
        wrong = np.flatnonzero((seconds < low) | (seconds >= high))
        if len(wrong):
            row = int(wrong[0])
            raise bad(row, f"{seconds[row]:g}; expected seconds since 1970, in {FIRST_YEAR} to {LAST_YEAR}")
        return seconds.astype(np.int64)
    if kind not in ("datetime", "datetime64"):
        raise bad(0, f"values of type {kind}; expected times, ISO text, or seconds since 1970")
    times = pd.DatetimeIndex(pd.to_datetime(column, utc=True, errors="coerce"))
    require_times(times, lambda row: str(column.iloc[row]), "one", bad)
    return utc_seconds_of(times)


# -- writing -------------------------------------------------------------------------------------------------------


def save(homes: Sequence[Home], path: Path) -> None:
    """Write homes to a new SQLite file; the source for :func:`load` is the file, or ``sqlite:///`` and its path.

    Raises:
        UserError: something is at ``path``.
    """
    refuse_existing(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_url(homes, URL.create("sqlite", database=str(path)).render_as_string())
    make_private(path)


def save_url(homes: Sequence[Home], url: str) -> None:
    """Write homes into a database: the tables are made where they are missing, and must be empty.

    Intervals are those of each home (30 or 60 minutes), gaps are NULL.  Weather is left out.

    Raises:
        UserError: tables that hold rows, or whatever the database complains of; then nothing is written.
    """
    require_unique((facts.home_id for facts, _ in homes), "the homes")
    address = database_url(url)
    with writing(address) as connection:
        for table in (HOMES, READINGS):
            if sa.inspect(connection).has_table(table.name) and connection.execute(sa.select(table).limit(1)).first():
                raise UserError(f"{shown(address)}: table '{table.name}' is not empty; name another database")
        _SCHEMA.create_all(connection)
        for facts, readings in homes:
            row = facts.model_dump(include={"home_id", *FACT_COLUMNS})
            row |= {column: getattr(facts.battery, name) for column, name in BATTERY_COLUMNS.items()}
            connection.execute(sa.insert(HOMES), [row])
            intervals = as_intervals(facts, readings)
            table_of_home = pd.DataFrame(intervals.energy_wh).astype(object)
            table_of_home = table_of_home.where(table_of_home.notna(), None)
            table_of_home["home_id"] = facts.home_id
            table_of_home["minutes"] = (intervals.length_s // 60).astype(object)
            table_of_home["start_utc"] = pd.to_datetime(intervals.start_s, unit="s", utc=True).to_pydatetime()
            rows = [{str(key): value for key, value in row.items()} for row in table_of_home.to_dict("records")]
            for begin in range(0, len(rows), CHUNK_ROWS):
                connection.execute(sa.insert(READINGS), rows[begin : begin + CHUNK_ROWS])


IMPORTER = Importer("sql", "the URL of a database, such as sqlite:///homes.db, or an SQLite file", detect, load, save)
