"""CityLearn data sets: a folder with ``schema.json``, one CSV per home and ``weather.csv``, hourly.

Format: https://www.citylearn.net/overview/dataset.html; Nweye et al. 2024, doi:10.1080/19401493.2024.2418813.  Columns
that end in ``_predicted_<n>`` are the actual values shifted, that is the future; they are never read.

Load is what the home's devices take: ``non_shiftable_load`` plus the thermal demands over a coefficient of performance
(electric heat for hot water).  Solar is ``solar_generation`` (W per kW of panels) times ``pv.nominal_power`` (kW).
Hours are split into two equal halves; the facts' ``resolution_slots`` of 2 says so.

``fontana`` (the 2022 challenge) was found to be labelled in local time with daylight saving, hours by their beginning:
its solar production jumps by an hour on 6 November 2016 and 12 March 2017, and among eight homes each fits the sun best
under that clock, not under the EnergyPlus custom.  ResStock sets (no solar) keep Pacific Standard Time, hours by their
end, like the weather file beside them.

Columns name no year.  A schema that this project wrote (:mod:`datagen.importers.citylearn_export`) says the first date
and the clock; for others both are found from the labels and the sun (:mod:`datagen.importers.labels`).
"""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import UserError
from common.readings import MAX_SLOT_WH, HomeFacts, Readings
from common.units import WH_PER_KWH
from datagen.importers.base import ImportedCommunity, Importer
from datagen.importers.citylearn_export import DATING_KEY, SOLAR_W_PER_KW, WEATHER_COLUMNS, save
from datagen.importers.labels import HourClock, first_date, hour_rows, infer_clock, utc_hours
from datagen.importers.tables import FIRST_YEAR, LAST_YEAR, Table, as_home_id, bad_row, read_table, require_unique
from datagen.weather import Weather, sky_of

Floats = NDArray[np.float64]

CLOCK_COLUMNS = ("month", "hour", "day_type")
LOAD, SOLAR = "non_shiftable_load", "solar_generation"
THERMAL_COP = {"cooling": 3.5, "heating": 3.0, "dhw": 0.95}
"""Heat over electricity where the schema gives no efficiency: usual heat pumps (SEER 14, HSPF 9), electric tank."""
MOST_KWH = 2 * MAX_SLOT_WH / WH_PER_KWH
LEAST_WEATHER_CORRELATION = 0.5
"""Daily solar production against daily radiation: below this the weather is not the homes' own."""


def detect(source: str) -> bool:
    """Whether ``source`` is a folder with a ``schema.json``."""
    return os.path.isfile(os.path.join(source, "schema.json"))  # noqa: PTH113, PTH118 -- raises for no name at all


def load(source: str) -> ImportedCommunity:
    """Homes of a CityLearn folder.

    Raises:
        UserError: naming the file, line and column, and what was expected.
    """
    path = Path(source)
    buildings, dating = _schema(path)
    require_unique(map(as_home_id, buildings), str(path / "schema.json"))
    tables = {name: _home_table(path / str(spec["energy_simulation"])) for name, spec in buildings.items()}
    files = [path / str(spec["energy_simulation"]) for spec in buildings.values()]
    known = None if dating is None else dating[0]
    dates = {first_date(file, table, known) for file, table in zip(files, tables.values(), strict=True)}
    spans = {(len(table["hour"]), int(table["hour"][0])) for table in tables.values()}
    if len(dates) > 1 or len(spans) > 1:
        raise UserError(f"{path}: the homes cover different hours; expected the same rows in each file")
    ((rows, first_hour),) = spans
    (first,) = dates
    observed = {file: _weather_table(path / file, rows) for file in {str(s["weather"]) for s in buildings.values()}}
    clock = dating[1] if dating else infer_clock(first, first_hour, [table[SOLAR] for table in tables.values()])
    origin, order = hour_rows(utc_hours(first, first_hour, rows, clock))
    warnings = [] if dating else [f"clock of the readings, as found: {clock}"]

    weathers = {file: _weather(table, origin, order) for file, table in observed.items()}
    homes = []
    for name, spec in buildings.items():
        weather, table = weathers[str(spec["weather"])], tables[name]
        file = path / str(spec["energy_simulation"])
        load_kwh = _load_kwh(file, spec, table, observed[str(spec["weather"])]["outdoor_dry_bulb_temperature"])
        pv_kwh, pv_kw = _solar_kwh(file, spec, table)
        for column, kwh in ((LOAD, load_kwh), (SOLAR, pv_kwh)):
            if kwh.max() > MOST_KWH:
                row = int(kwh.argmax())
                raise bad_row(file, row, column, f"{kwh[row]:g} kWh in an hour; expected up to {MOST_KWH:g}")
        channels = None if weather is None else weather.channels
        readings = Readings(2 * origin, _halves_wh(load_kwh[order]), _halves_wh(pv_kwh[order]), None, channels)
        homes.append((_facts(path, name, pv_kw), readings))
    if None in weathers.values():
        warnings.append("the weather file holds zeros only; the homes have no weather")
        return ImportedCommunity(homes, warnings=warnings)
    own = all(_is_own_weather(observed[str(spec["weather"])], tables[name]) for name, spec in buildings.items())
    if not own:
        warnings.append("the weather file does not match the homes' solar production; no weather forecast is made")
    own_weather = next(iter(weathers.values())) if own and len(weathers) == 1 else None
    return ImportedCommunity(homes, own_weather, warnings=warnings)


def _schema(path: Path) -> tuple[dict[str, dict[str, Any]], tuple[date, HourClock] | None]:
    """Homes that the schema includes; and first date and clock, where it says them."""
    file = path / "schema.json"
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
        buildings = {str(name): dict(spec) for name, spec in schema["buildings"].items() if spec.get("include", True)}
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise UserError(f"{file}: not a CityLearn schema; expected JSON with 'buildings'") from None
    for name, spec in buildings.items():
        for key in ("energy_simulation", "weather"):
            if not isinstance(spec.get(key), str) or "\0" in spec[key]:
                raise UserError(f"{file}: building {name}: '{key}' is missing; expected a file name")
    if not buildings:
        raise UserError(f"{file}: no building is included")
    if schema.get("seconds_per_time_step", 3600) != 3600:
        raise UserError(f"{file}: seconds_per_time_step is {schema['seconds_per_time_step']}; expected 3600 (hourly)")
    return buildings, _dating(file, schema[DATING_KEY]) if DATING_KEY in schema else None


def _dating(file: Path, said: object) -> tuple[date, HourClock]:
    """First date and clock that a schema of this project says."""
    try:
        if not isinstance(said, dict) or type(said["daylight_saving"]) is not bool:
            raise ValueError
        begins = {"end": False, "beginning": True}[said["hours_named_by"]]
        first = date.fromisoformat(said["first_date"])
        if not FIRST_YEAR < first.year < LAST_YEAR:
            raise ValueError
        return first, HourClock(said["daylight_saving"], begins)
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{file}: key {DATING_KEY}: {str(said)[:100]}; expected first_date YYYY-MM-DD, daylight_saving true or "
            "false, and hours_named_by end or beginning"
        ) from None


def _home_table(file: Path) -> Table:
    """Table of a home, with its units checked."""
    demands = tuple(f"{use}_demand" for use in THERMAL_COP)
    energies = (LOAD, *demands, SOLAR)
    table = read_table(file, CLOCK_COLUMNS + energies, energies)
    median = float(np.median(table[LOAD]))
    if median > 50:
        raise UserError(f"{file}, column {LOAD}: a median of {median:.0f} an hour looks like Wh; expected kWh")
    top = float(table[SOLAR].max())
    low, high = SOLAR_W_PER_KW
    if 0 < top <= low or top > high:
        raise UserError(f"{file}, column {SOLAR}: a maximum of {top:g}; expected W per kW of panels, up to about 1000")
    return table


def _weather_table(file: Path, rows: int) -> Table:
    table = read_table(file, WEATHER_COLUMNS, WEATHER_COLUMNS[1:])
    found = len(table[WEATHER_COLUMNS[0]])
    if found != rows:
        raise UserError(f"{file}: {found} rows, but the homes have {rows}; expected one row for each of their hours")
    return table


def _load_kwh(file: Path, spec: dict[str, Any], table: Table, outside_c: Floats) -> Floats:
    """Electric load of each row, kWh."""
    total = table[LOAD].copy()
    for use in THERMAL_COP:
        demand = table[f"{use}_demand"]
        if demand.any():
            total += demand / _cop(file, spec.get(f"{use}_device"), use, outside_c)
    return total


def _cop(file: Path, device: object, use: str, outside_c: Floats) -> Floats | float:
    """Coefficient of performance: from the schema by CityLearn's own formula where it has one, else the usual."""
    attributes = device.get("attributes") if isinstance(device, dict) else None
    if not isinstance(device, dict) or not isinstance(attributes, dict) or "efficiency" not in attributes:
        return THERMAL_COP[use]
    efficiency = attributes["efficiency"]
    if not isinstance(efficiency, int | float) or not 0 < efficiency <= 1:
        raise UserError(f"schema.json for {file.name}: {use}_device efficiency {efficiency!r}; expected 0 to 1")
    if not str(device.get("type", "")).endswith("HeatPump"):
        return float(efficiency)
    target = attributes.get(f"target_{use}_temperature", 8.0 if use == "cooling" else 45.0)
    if not isinstance(target, int | float) or not -50 < target < 200:
        raise UserError(f"schema.json for {file.name}: {use}_device target {target!r}; expected degrees Celsius")
    lift = outside_c - target if use == "cooling" else target - outside_c
    return np.where(lift > 0, np.minimum(efficiency * (target + 273.15) / np.where(lift > 0, lift, 1.0), 20.0), 20.0)


def _solar_kwh(file: Path, spec: dict[str, Any], table: Table) -> tuple[Floats, float]:
    """Solar energy of each row, kWh, and the rated power, kW; 0 kW where there is no production."""
    if not table[SOLAR].any():
        return table[SOLAR], 0.0
    panels = spec.get("pv")
    attributes = panels.get("attributes") if isinstance(panels, dict) else None
    power = attributes.get("nominal_power") if isinstance(attributes, dict) else None
    if not isinstance(power, int | float) or not 0 < power < 1000:
        raise UserError(f"schema.json for {file.name}: pv nominal_power is {power!r}; expected kW, since it has solar")
    return table[SOLAR] * power / 1000, float(power)


def _halves_wh(kwh: Floats) -> NDArray[np.int64]:
    """Hours as two halves each, whole Wh; rounding is carried on, so the total is kept to the Wh."""
    total_wh = np.rint(np.cumsum(kwh) * WH_PER_KWH).astype(np.int64)
    hour_wh: NDArray[np.int64] = np.diff(total_wh, prepend=np.int64(0))
    return np.stack([hour_wh - hour_wh // 2, hour_wh // 2], axis=1).ravel()


def _facts(path: Path, name: str, pv_kw: float) -> HomeFacts:
    return HomeFacts(
        home_id=as_home_id(name), resolution_slots=2, pv_kw=pv_kw, source=f"citylearn:{path.resolve().name}"
    )


def _weather(table: Table, origin: int, order: NDArray[np.int64]) -> Weather | None:
    """Observed weather by slot. Direct irradiance is taken as normal to the beam, as in the EPW files behind it.

    Without any humidity it is none: no air is that dry.
    """
    if not table["outdoor_relative_humidity"].any():
        return None
    temperature, humidity, diffuse, direct = (np.repeat(table[name][order], 2) for name in WEATHER_COLUMNS)
    sky = sky_of(range(2 * origin, 2 * origin + len(temperature)))
    height = np.maximum(np.cos(np.radians(sky.zenith_deg)), 0.0)
    return Weather(
        first_slot=2 * origin,
        temperature_c=temperature,
        humidity_pct=humidity,
        irradiance_w_m2=diffuse + direct * height,
        wind_m_s=np.zeros_like(temperature),
        direct_normal_w_m2=direct,
        diffuse_w_m2=diffuse,
        sky=sky,
    )


def _is_own_weather(observed: Table, table: Table) -> bool:
    """Whether days of much radiation are days of much solar production; true where there is no solar to tell."""
    days = len(table[SOLAR]) // 24
    solar = table[SOLAR][: days * 24].reshape(days, 24).sum(axis=1)
    radiation = observed["diffuse_solar_irradiance"] + observed["direct_solar_irradiance"]
    radiation = radiation[: days * 24].reshape(days, 24).sum(axis=1)
    if not solar.std() > 0 or not radiation.std() > 0:
        return True
    return float(np.corrcoef(solar, radiation)[0, 1]) >= LEAST_WEATHER_CORRELATION


IMPORTER = Importer("citylearn", "a folder with schema.json, weather.csv and one CSV per home", detect, load, save)
