"""A home's folder: the one file format that the importers and the generator write and the home's own client reads.

::

    <home>/home.json                  device facts (:class:`HomeFacts`)
    <home>/readings.parquet           one row a slot, contiguous, see :class:`Readings`
    <home>/weather_forecast.parquet   optional: forecasts as they were issued (:class:`WeatherForecast`)
    <home>/state/                     the client's own state, one folder a run

Energies are whole Wh in the slot, never negative: ``load_wh`` is all that the home consumed (PV added back),
``pv_wh`` what its solar panels made.  Net load = load - PV; positive is need.  Folder and files belong to the user that
wrote them alone (mode 0700 and 0600): a home's readings are for its own client.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from common.car import Car, check_car
from common.clock import TIMEZONE, known_timezone
from common.config import BatterySpec
from common.errors import UserError

CHANNELS = ("fridge_wh", "hvac_wh", "ev_wh", "water_heater_wh", "laundry_wh", "other_wh")
"""Appliance channels; they add up to ``load_wh``. A home without sub-metering has none of them."""
_EV = CHANNELS.index("ev_wh")

WEATHER = ("temperature_c", "humidity_pct", "irradiance_w_m2", "wind_m_s")
"""Weather channels, observed; irradiance is global horizontal."""

FORECAST_LEAD_HOURS = 72
MAX_SLOT_WH = 50_000
_OWNER_ONLY = 0o600
_ENCODINGS = {"i": "DELTA_BINARY_PACKED", "f": "BYTE_STREAM_SPLIT"}
"""Parquet's encodings by kind of number: half the size of the usual ones, in a quarter of the time."""


class HomeFacts(BaseModel):
    """Device facts of a home, in ``home.json``.

    Attributes:
        home_id: name of the home, unique in its community; letters, digits, ``-`` and ``_``.
        resolution_slots: slots per metered interval. 1: half-hourly. 2: hourly readings that were split in two,
            so that nothing may be known of an hour's halves before the hour has ended.
        connection_kw: what the home's connection to the network carries; 48 kW is 200 A at 240 V.
        pv_kw: rated solar power, kW; 0 without solar (then ``pv_wh`` is all zero).
        source: where the readings come from, for provenance.
        events: first and end slot of each broadcast that the home knows beforehand as one that many watch.
        outages: first and end slot of each time in which the home's grid is away; the home learns of it as it happens.
        car: the home's electric car, where its stays at the charger are known; None: what it draws is load like any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    home_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    resolution_slots: int = Field(default=1, ge=1, le=2)
    timezone: str = TIMEZONE
    connection_kw: float = Field(default=48.0, gt=0, le=1000)
    pv_kw: float = Field(default=0.0, ge=0)
    battery: BatterySpec = BatterySpec()
    source: str = ""
    archetype: str = ""
    events: tuple[tuple[int, int], ...] = ()
    outages: tuple[tuple[int, int], ...] = ()
    car: Car | None = None

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        return known_timezone(name)


@dataclass(frozen=True)
class WeatherForecast:
    """Weather forecasts as issued, hourly leads.

    Attributes:
        issue_slot: shape ``(n,)``, ascending; a forecast may be used from its issue slot on.
        values: shape ``(n, FORECAST_LEAD_HOURS, 4)`` float32, last axis as :data:`WEATHER`; lead ``k`` is the mean of
            the hour that starts ``k`` hours after the issue.
    """

    issue_slot: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Readings:
    """A contiguous table of slots; arrays of shape ``(n,)`` unless said otherwise.

    Attributes:
        first_slot: slot of row 0.
        load_wh, pv_wh: int64.
        channels: shape ``(6, n)`` int64 in the order of :data:`CHANNELS`, or None.
        weather: shape ``(4, n)`` float32 in the order of :data:`WEATHER`, or None.
        metered: bool, False in the gaps: slots without a reading, whose energies are estimates
            (:mod:`datagen.gaps`); None where every slot was metered.
    """

    first_slot: int
    load_wh: NDArray[np.int64]
    pv_wh: NDArray[np.int64]
    channels: NDArray[np.int64] | None = None
    weather: NDArray[np.float32] | None = None
    metered: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.load_wh)

    @property
    def end_slot(self) -> int:
        """First slot after the table."""
        return self.first_slot + len(self)

    @property
    def ev_wh(self) -> NDArray[np.int64] | None:
        """What the car drew, shape ``(n,)``; None without sub-metering."""
        return None if self.channels is None else self.channels[_EV]

    def without_car(self) -> Readings:
        """The same home had it no car."""
        if self.channels is None:
            return self
        others = self.channels.copy()
        others[_EV] = 0
        return replace(self, load_wh=self.load_wh - self.channels[_EV], channels=others)

    def since(self, slot: int) -> Readings:
        """The rows of ``slot`` and later; views, no copies."""
        row = min(max(slot - self.first_slot, 0), len(self))
        if row == 0:
            return self
        return Readings(
            self.first_slot + row,
            self.load_wh[row:],
            self.pv_wh[row:],
            None if self.channels is None else self.channels[:, row:],
            None if self.weather is None else self.weather[:, row:],
            None if self.metered is None else self.metered[row:],
        )


def validate_readings(readings: Readings, where: str) -> None:
    """Check energies and shapes.

    Raises:
        UserError: naming ``where``, the column, the first bad row, and what was expected.
    """
    columns = {"load_wh": readings.load_wh, "pv_wh": readings.pv_wh}
    if readings.channels is not None:
        columns |= dict(zip(CHANNELS, readings.channels, strict=True))
    for name, values in columns.items():
        if len(values) != len(readings):
            raise UserError(f"{where}: column {name} has {len(values)} rows, load_wh has {len(readings)}")
        bad = np.flatnonzero((values < 0) | (values > MAX_SLOT_WH))
        if len(bad):
            row = int(bad[0])
            raise UserError(
                f"{where}: column {name}, row {row}: {int(values[row])} Wh in a half-hour; "
                f"expected 0 to {MAX_SLOT_WH} (is the unit kWh, and the sign of load positive?)"
            )
    if readings.metered is not None and len(readings.metered) != len(readings):
        raise UserError(f"{where}: column metered has {len(readings.metered)} rows, load_wh has {len(readings)}")
    if readings.weather is not None and not np.isfinite(readings.weather).all():
        channel, row = (int(i[0]) for i in np.nonzero(~np.isfinite(readings.weather)))
        raise UserError(f"{where}: column {WEATHER[channel]}, row {row}: not a finite number")


def check_facts(facts: HomeFacts, readings: Readings, where: str) -> None:
    """Check what a home's facts say of its readings: its car's stays.

    Raises:
        UserError: naming ``where``, the stay or the slot, and what was expected.
    """
    if facts.car is not None:
        ev_wh = None if readings.channels is None else readings.channels[CHANNELS.index("ev_wh")]
        check_car(facts.car, ev_wh, readings.first_slot, where)


def write_home(folder: Path, facts: HomeFacts, readings: Readings, forecast: WeatherForecast | None = None) -> None:
    """Write a home's folder; checks the readings first, and the facts against them."""
    validate_readings(readings, f"home {facts.home_id}")
    check_facts(facts, readings, f"home {facts.home_id}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    table: dict[str, NDArray[np.generic]] = {
        "slot": np.arange(readings.first_slot, readings.end_slot),
        "load_wh": readings.load_wh.astype(np.int32),
        "pv_wh": readings.pv_wh.astype(np.int32),
    }
    if readings.channels is not None:
        table |= {name: row.astype(np.int32) for name, row in zip(CHANNELS, readings.channels, strict=True)}
    if readings.weather is not None:
        table |= dict(zip(WEATHER, readings.weather.astype(np.float32), strict=True))
    if readings.metered is not None:
        table["metered"] = readings.metered
    _write_table(table, folder / "readings.parquet")
    if forecast is not None:
        issues, leads, _ = forecast.values.shape
        columns: dict[str, NDArray[np.generic]] = {
            "issue_slot": np.repeat(forecast.issue_slot, leads),
            "lead_hour": np.tile(np.arange(leads, dtype=np.int16), issues),
        }
        columns |= {name: forecast.values[:, :, k].ravel() for k, name in enumerate(WEATHER)}
        _write_table(columns, folder / "weather_forecast.parquet")
    path = folder / "home.json"
    path.write_text(facts.model_dump_json(indent=1) + "\n", encoding="utf-8")
    path.chmod(_OWNER_ONLY)


def _write_table(columns: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    """Write columns to a Parquet file, in what is quickest and smallest for readings: deltas, and bytes of a kind."""
    pq.write_table(
        pa.table(dict(columns)), path, use_dictionary=False, write_statistics=False,
        column_encoding={name: _ENCODINGS.get(values.dtype.kind, "PLAIN") for name, values in columns.items()},
    )  # fmt: skip
    path.chmod(_OWNER_ONLY)


def read_facts(folder: Path) -> HomeFacts:
    """Device facts of a home's folder.

    Raises:
        UserError: no such file, or one of another shape.
    """
    path = folder / "home.json"
    if not path.is_file():
        raise UserError(f"{folder}: not a home's folder (home.json is missing)")
    try:
        return HomeFacts.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(none)"
        raise UserError(f"{path}: key {key}: {first['msg']}") from None
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({(str(error).splitlines() or ['?'])[0]})") from None


def read_readings(folder: Path) -> Readings:
    """Readings of a home's folder, checked.

    Raises:
        UserError: a missing file or column, a gap, NaN, or a value out of range.
    """
    path = folder / "readings.parquet"
    if not path.is_file():
        raise UserError(f"{folder}: readings.parquet is missing")
    table = pd.read_parquet(path)
    for name in ("slot", "load_wh", "pv_wh"):
        if name not in table:
            raise UserError(f"{path}: column {name} is missing (found: {', '.join(map(str, table.columns))})")
        if not table[name].isna().any() and not pd.api.types.is_integer_dtype(table[name]):
            raise UserError(f"{path}: column {name} is of type {table[name].dtype}; expected whole numbers (Wh a slot)")
        if table[name].isna().any():
            raise UserError(f"{path}: column {name}, row {int(table[name].isna().argmax())}: empty")
    slot = table["slot"].to_numpy(np.int64)
    breaks = np.flatnonzero(np.diff(slot) != 1)
    if len(slot) == 0 or len(breaks):
        where = f"after row {int(breaks[0])}" if len(breaks) else "no rows"
        raise UserError(f"{path}: slots must follow each other without gap or duplicate ({where})")
    has_channels = all(name in table for name in CHANNELS)
    has_weather = all(name in table for name in WEATHER)
    readings = Readings(
        first_slot=int(slot[0]),
        load_wh=table["load_wh"].to_numpy(np.int64),
        pv_wh=table["pv_wh"].to_numpy(np.int64),
        channels=table[list(CHANNELS)].to_numpy(np.int64).T.copy() if has_channels else None,
        weather=table[list(WEATHER)].to_numpy(np.float32).T.copy() if has_weather else None,
        metered=table["metered"].to_numpy(np.bool_) if "metered" in table else None,
    )
    validate_readings(readings, str(path))
    return readings


def read_forecast(folder: Path) -> WeatherForecast | None:
    """Issued weather forecasts of a home's folder, or None where there are none."""
    path = folder / "weather_forecast.parquet"
    if not path.is_file():
        return None
    table = pd.read_parquet(path)
    leads = int(table["lead_hour"].max()) + 1
    return WeatherForecast(
        issue_slot=table["issue_slot"].to_numpy(np.int64)[::leads].copy(),
        values=table[list(WEATHER)].to_numpy(np.float32).reshape(-1, leads, len(WEATHER)),
    )


def home_folders(root: Path) -> list[Path]:
    """Folders of the homes under ``root``, by name: partition ``i`` of a simulation owns the ``i``-th."""
    return sorted(path.parent for path in root.glob("*/home.json"))
