"""ResStock: simulated homes of the End-Use Load Profiles for the U.S. Building Stock, one Parquet or CSV file each.

Files of ``timeseries_individual_buildings`` such as ``100-0.parquet`` (building 100, upgrade 0), releases 2021 to 2025:
https://oedi-data-lake.s3.amazonaws.com/nrel-pds-building-stock/end-use-load-profiles-for-us-building-stock/

What the publisher's FAQ says (https://nrel.github.io/ResStock.github.io/docs/FAQ.html): time stamps are Eastern
Standard Time all year, whatever the place; each names the *end* of its 15 minutes; energies are kWh.  To make a whole
year in that zone the last hours of the local year were moved to its beginning, so a Californian file's first three
hours belong to the evening of 31 December.  ``total`` is all that the home consumed and ``net`` is ``total`` plus
``pv``, which is negative where the panels produce; a file in which the three do not fit together is refused.  Names of
end uses changed between releases (``water_systems`` became ``hot_water``), and newer ones end in ``..kwh``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from common.errors import UserError
from common.readings import CHANNELS, HomeFacts
from common.units import WH_PER_KWH
from datagen.importers.base import Home, ImportedCommunity, Importer
from datagen.importers.intervals import LOAD, SOLAR, Intervals, to_readings
from datagen.importers.tables import (
    as_home,
    as_home_id,
    as_intervals,
    bad_row,
    make_private,
    numbers,
    parsed_times,
    read_text_table,
    refuse_existing,
    require_times,
    require_unique,
    usual_length_s,
    utc_seconds_of,
)

Floats = NDArray[np.float64]

EASTERN_STANDARD_S = -5 * 3600
USUAL_LENGTH_S = 15 * 60
ENERGY = re.compile(r"^out\.electricity\.(?P<use>\w+)\.energy_consumption(?:\.\.?kwh)?$")
AGGREGATE_COLUMNS = ("units_represented", "models_used", "floor_area_represented")
NOT_LOAD = frozenset(("total", "net", "pv", "battery", "generator"))
CHANNEL_USES = {
    "fridge_wh": ("refrigerator", "extra_refrigerator", "freezer"),
    "hvac_wh": (
        "cooling", "cooling_fans_pumps", "fans_cooling", "pumps_cooling", "heating", "heating_fans_pumps",
        "fans_heating", "pumps_heating", "heating_supplement", "heating_hp_bkup", "heating_hp_bkup_fa", "mech_vent",
        "mech_vent_preheat", "mech_vent_precool", "house_fan", "whole_house_fan",
    ),
    "ev_wh": ("ev_charging", "vehicle"),
    "water_heater_wh": ("hot_water", "water_systems", "hot_water_recirc_p", "recirc_pump", "hot_water_solar_th"),
    "laundry_wh": ("clothes_washer", "clothes_dryer", "dishwasher"),
}  # fmt: skip
"""End uses of the channels, by the names of all releases; ``other_wh`` is what the total has beyond them."""
_SAVED_USE = {channel: uses[0] for channel, uses in CHANNEL_USES.items()} | {
    "hvac_wh": "cooling", "water_heater_wh": "hot_water", "laundry_wh": "clothes_dryer", "other_wh": "plug_loads",
}  # fmt: skip
_TOLERANCE_KWH = 0.01
"""By how much sums and signs may be off: rounding, and what an inverter draws at night."""


def detect(source: str) -> bool:
    """Whether ``source`` is a file with ResStock's columns, or a folder of such."""
    try:
        return any(_is_file_of_a_home(file) for file in _files(Path(source))[:3])
    except (OSError, ValueError):
        return False


def load(source: str) -> ImportedCommunity:
    """Homes of a ResStock file, or of all such files in a folder.

    Raises:
        UserError: naming the file, line and column, and what was expected.
    """
    files = [file for file in _files(Path(source)) if _is_file_of_a_home(file)]
    if not files:
        raise UserError(f"{source}: no ResStock file here; expected columns such as {_column('total')}")
    require_unique((as_home_id(file.stem) for file in files), source)
    warnings: list[str] = []
    return ImportedCommunity([_home(file, warnings) for file in files], warnings=warnings)


def save(homes: Sequence[Home], path: Path) -> None:
    """Write a folder of Parquet files, one a home, as of the release of 2024.

    Intervals are those of the home (30 or 60 minutes), gaps are empty.  Each channel goes to one end use
    (``hvac_wh`` to ``cooling``).  Of the facts the format holds the id alone: panels are rated at their highest
    half-hour when the homes are loaded, and battery and connection are the usual ones.

    Raises:
        UserError: something is at ``path``, or a home of fewer than two intervals, whose length could not be told.
    """
    refuse_existing(path)
    require_unique((facts.home_id for facts, _ in homes), str(path))
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for facts, readings in homes:
        intervals = as_intervals(facts, readings)
        if len(intervals) < 2:
            raise UserError(f"home {facts.home_id}: a single reading; ResStock files need at least two")
        kwh = {name: values / WH_PER_KWH for name, values in intervals.energy_wh.items()}
        end_s = intervals.start_s + intervals.length_s + EASTERN_STANDARD_S
        table: dict[str, object] = {
            "bldg_id": np.arange(len(end_s)) * 0,
            "timestamp": pd.to_datetime(end_s, unit="s"),
            _column("total"): kwh[LOAD],
            _column("net"): kwh[LOAD] - kwh[SOLAR],
            _column("pv"): -kwh[SOLAR],
        }
        table |= {_column(_SAVED_USE[name]): kwh[name] for name in CHANNELS if name in kwh}
        pd.DataFrame(table).to_parquet(path / f"{facts.home_id}.parquet", index=False)
        make_private(path / f"{facts.home_id}.parquet")


def _column(use: str) -> str:
    return f"out.electricity.{use}.energy_consumption"


def _files(path: Path) -> list[Path]:
    """Files that may hold a home: the path itself, or those of a folder by name."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in (".parquet", ".csv"))
    return [path] if path.suffix in (".parquet", ".csv") and path.is_file() else []


def _is_file_of_a_home(file: Path) -> bool:
    """Whether the columns of a file are ResStock's."""
    try:
        if file.suffix == ".parquet":
            return any(ENERGY.match(name) for name in pq.read_schema(file).names)
        with file.open(encoding="utf-8-sig") as stream:
            return any(ENERGY.match(name.strip().strip('"')) for name in stream.readline(1_000_000).split(","))
    except (pa.ArrowException, OSError, ValueError):
        return False


def _home(file: Path, warnings: list[str]) -> Home:
    """The home of a file."""
    home_id = as_home_id(file.stem)
    start_s, length_s, kwh = _read(file)
    stored = [use for use in ("battery", "generator") if use in kwh and np.nanmax(np.abs(kwh[use]), initial=0) > 0]
    if stored:
        warnings.append(f"{home_id}: its {' and '.join(stored)} is left out; the load is what the home consumed")
    load_kwh, pv_kwh = _load_and_solar(file, kwh)
    energy = {LOAD: load_kwh * WH_PER_KWH}
    if pv_kwh is not None:
        energy[SOLAR] = pv_kwh * WH_PER_KWH
    # Any end use makes the home a sub-metered one; what its channels do not explain is other_wh.
    if kwh.keys() - NOT_LOAD:
        for channel, uses in CHANNEL_USES.items():
            parts = [
                np.maximum(kwh[use], np.where(kwh[use] > -_TOLERANCE_KWH, 0, kwh[use])) for use in uses if use in kwh
            ]
            energy[channel] = np.sum(parts, axis=0) * WH_PER_KWH if parts else np.zeros_like(load_kwh)
    line = np.arange(len(start_s), dtype=np.int64) + 2
    metered = to_readings(Intervals(start_s, np.full_like(start_s, length_s), energy, line), str(file), home_id)
    return as_home(HomeFacts(home_id=home_id, source=f"resstock:{file.name}"), metered, warnings)


def _read(file: Path) -> tuple[NDArray[np.int64], int, dict[str, Floats]]:
    """Starts of a file's intervals in UTC, s, their length, s, and its energies by end use, kWh, NaN for no reading."""
    table = _table(file)
    aggregate = [name for name in AGGREGATE_COLUMNS if name in table]
    if aggregate:
        raise UserError(
            f"{file}: column {aggregate[0]} says that it sums many buildings; expected a file of one, of "
            "timeseries_individual_buildings"
        )
    if "timestamp" not in table:
        raise UserError(f"{file}: column timestamp is missing (found: {', '.join(map(str, table.columns[:8]))} ...)")
    if "bldg_id" in table and table["bldg_id"].nunique() > 1:
        raise UserError(f"{file}, column bldg_id: {table['bldg_id'].nunique()} buildings; expected one a file")
    end_s = _end_s(file, table["timestamp"])
    length_s = usual_length_s(end_s) or USUAL_LENGTH_S
    kwh: dict[str, Floats] = {}
    for name in map(str, table.columns):
        found = ENERGY.match(name)
        if found and found["use"] in kwh:
            raise UserError(f"{file}, column {name}: end use {found['use']} occurs twice")
        if found:
            kwh[found["use"]] = _energies(file, name, table[name])
    return end_s - length_s, length_s, kwh


def _table(file: Path) -> pd.DataFrame:
    """The columns of interest."""
    if file.suffix == ".csv":
        return read_text_table(file)
    try:
        names = pq.read_schema(file).names
        wanted = [n for n in names if ENERGY.match(n) or n in ("timestamp", "bldg_id", *AGGREGATE_COLUMNS)]
        table: pd.DataFrame = pq.read_table(file, columns=wanted).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{file}: not a readable Parquet file ({str(error).splitlines()[0][:200]})") from None
    if table.empty or not table.columns.is_unique:
        raise UserError(f"{file}: {'no rows' if table.empty else 'two columns of one name'}")
    return table


def _end_s(file: Path, column: pd.Series) -> NDArray[np.int64]:
    """Ends of the intervals, seconds since the epoch (UTC)."""

    def bad(row: int, problem: str) -> UserError:
        return bad_row(file, row, "timestamp", problem)

    if pd.api.types.is_datetime64_any_dtype(column):
        times = pd.DatetimeIndex(column)
        require_times(times, lambda row: str(column.iloc[row]), "one", bad)
    elif pd.api.types.infer_dtype(column, skipna=False) == "string":
        times = parsed_times(column, bad)
    else:
        raise bad(0, f"values of type {column.dtype}; expected times")
    return utc_seconds_of(times) - (EASTERN_STANDARD_S if times.tz is None else 0)


def _energies(file: Path, name: str, column: pd.Series) -> Floats:
    """Energies of a column, kWh."""
    if file.suffix == ".csv":
        return numbers(column, lambda row, problem: bad_row(file, row, name, problem))
    if not pd.api.types.is_numeric_dtype(column):
        raise bad_row(file, 0, name, f"values of type {column.dtype}; expected numbers (kWh)")
    values = column.to_numpy(np.float64, na_value=np.nan)
    if np.isinf(values).any():
        raise bad_row(file, int(np.isinf(values).argmax()), name, "infinite; expected kWh")
    return values


def _load_and_solar(file: Path, kwh: dict[str, Floats]) -> tuple[Floats, Floats | None]:
    """All that the home consumed, and what its panels made, kWh; the latter is None where the file has no column."""
    if "total" not in kwh:
        raise UserError(f"{file}: column {_column('total')} is missing; expected all that the home consumed, kWh")
    total, pv = kwh["total"], kwh.get("pv")
    if pv is None:
        return total, None
    wrong = np.flatnonzero(pv > _TOLERANCE_KWH)
    if len(wrong):
        row = int(wrong[0])
        raise bad_row(file, row, _column("pv"), f"{pv[row]:g} is positive; expected production as negative kWh")
    made = [kwh[use] for use in ("battery", "generator") if use in kwh]
    off = np.abs(kwh.get("net", total + pv) - total - pv)
    if not made and np.nanmax(off, initial=0) > _TOLERANCE_KWH:
        row = int(np.nanargmax(off))
        raise bad_row(
            file, row, _column("net"), f"{kwh['net'][row]:g} is not total {total[row]:g} plus pv {pv[row]:g}, kWh"
        )
    return total, np.maximum(-pv, 0.0)


IMPORTER = Importer(
    "resstock", "a Parquet or CSV file with out.electricity.* columns, or a folder of them", detect, load, save
)
