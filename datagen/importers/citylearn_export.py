"""Homes as a CityLearn data set, hourly, that :mod:`datagen.importers.citylearn` and CityLearn itself read.

Hours keep Pacific Standard Time all year and are named by their end, as EnergyPlus does, so every day has 24 of them.
The schema says so in a key of our own, ``commonwatt``, together with the first date: CityLearn's columns name no year.

What the format cannot hold is summed or refused, never changed in silence:

- half-hours are summed to hours, and come back as an hourly home;
- the days written are those, of 24 hours from midnight standard time, that all homes cover whole;
- appliance channels are left out, since CityLearn's demands are thermal;
- an hour without a reading cannot be marked, so it is refused; choose another span, or mend it first;
- irradiance is split in direct and diffuse by the Erbs model, as CityLearn wants it; wind is left out;
- homes without weather get a file of zeros, which the importer knows to be none (no air has 0 % humidity for days).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.clock import utc_of
from common.errors import UserError
from common.readings import HomeFacts, Readings
from common.units import SLOTS_PER_DAY, WH_PER_KWH
from datagen.gaps import Gap
from datagen.importers.base import Home
from datagen.importers.tables import make_private, refuse_existing, require_unique
from datagen.weather import STANDARD_OFFSET_SLOTS, sky_of, split_ghi

Floats = NDArray[np.float64]

DATING_KEY = "commonwatt"
WEATHER_COLUMNS = (
    "outdoor_dry_bulb_temperature",
    "outdoor_relative_humidity",
    "diffuse_solar_irradiance",
    "direct_solar_irradiance",
)
SOLAR_W_PER_KW = (1.5, 1500.0)
"""Highest solar production that the importer takes for W per kW of panels lies between these."""
_LOWEST_SUN = 0.05
"""Cosine of the zenith below which irradiance is taken as diffuse."""


def save(homes: Sequence[Home], path: Path) -> None:
    """Write a CityLearn folder; see the head of this module for what it holds.

    Args:
        homes: with different ids.
        path: of the new folder.

    Raises:
        UserError: something is at ``path``, no whole day that all homes cover, an hour without a reading, or solar
            power that does not fit its rating.
    """
    refuse_existing(path)
    if not homes:
        raise UserError(f"{path}: no homes to write")
    require_unique((facts.home_id for facts, _ in homes), str(path))
    first_day, slots = _whole_days(homes)
    clock = _clock(first_day, len(slots) // 2)
    tables = {facts.home_id: clock | _energies(facts, readings, slots) for facts, readings in homes}
    weathers = [_weather(readings, slots) for _, readings in homes]
    names: dict[bytes, str] = {}
    for weather in weathers:
        key = np.stack(list(weather.values())).tobytes()
        names.setdefault(key, f"weather-{len(names) + 1}.csv" if names else "weather.csv")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    buildings = {}
    for (facts, _), weather in zip(homes, weathers, strict=True):
        file = names[np.stack(list(weather.values())).tobytes()]
        pd.DataFrame(tables[facts.home_id]).to_csv(path / f"{facts.home_id}.csv", index=False)
        pd.DataFrame(weather).to_csv(path / file, index=False)
        buildings[facts.home_id] = _building(facts, file)
    schema = _schema(first_day, len(slots) // 2, buildings)
    (path / "schema.json").write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")
    for written in path.iterdir():
        make_private(written)


def _whole_days(homes: Sequence[Home]) -> tuple[date, range]:
    """First of the days, midnight to midnight standard time, that all homes cover whole, and the slots of them all."""
    latest, earliest = max(homes, key=lambda h: h[1].first_slot), min(homes, key=lambda h: h[1].end_slot)
    first = -(-(latest[1].first_slot + STANDARD_OFFSET_SLOTS) // SLOTS_PER_DAY)
    end = (earliest[1].end_slot + STANDARD_OFFSET_SLOTS) // SLOTS_PER_DAY
    if end <= first:
        raise UserError(
            f"homes {latest[0].home_id} and {earliest[0].home_id} have no whole day in common, of 24 hours from "
            "midnight standard time; CityLearn needs the same days of all homes"
        )
    day = datetime.fromtimestamp(first * 86400, UTC).date()
    return day, range(first * SLOTS_PER_DAY - STANDARD_OFFSET_SLOTS, end * SLOTS_PER_DAY - STANDARD_OFFSET_SLOTS)


def _clock(first_day: date, hours: int) -> dict[str, NDArray[np.int64]]:
    """Labels of the hours."""
    wall = pd.date_range(first_day, periods=hours, freq="h")
    return {
        "month": np.asarray(wall.month, np.int64),
        "hour": np.asarray(wall.hour + 1, np.int64),
        "day_type": np.asarray(wall.day_of_week + 1, np.int64),
        "daylight_savings_status": np.zeros(hours, np.int64),
    }


def _energies(facts: HomeFacts, readings: Readings, slots: range) -> dict[str, Floats]:
    """Columns of a home: load in kWh, solar in W per kW of panels, no thermal demand. Shape ``(hours,)`` each."""
    rows = slice(slots.start - readings.first_slot, slots.stop - readings.first_slot)
    if readings.metered is not None and not readings.metered[rows].all():
        row = int(np.argmin(readings.metered[rows]))
        length = int(np.argmax(np.append(readings.metered[rows][row:], True)))
        raise UserError(
            f"home {facts.home_id}: no reading for {Gap(slots.start + row, length)}; CityLearn cannot hold a gap"
        )
    load = readings.load_wh[rows].reshape(-1, 2).sum(axis=1) / WH_PER_KWH
    pv_wh = readings.pv_wh[rows].reshape(-1, 2).sum(axis=1).astype(np.float64)
    if pv_wh.any() and not 0 < facts.pv_kw < WH_PER_KWH:
        raise UserError(
            f"home {facts.home_id}: it makes solar power, but pv_kw is {facts.pv_kw:g}; expected its rating"
        )
    solar = pv_wh / facts.pv_kw if facts.pv_kw else pv_wh
    low, high = SOLAR_W_PER_KW
    if solar.any() and not low < solar.max() <= high:
        raise UserError(
            f"home {facts.home_id}: its best hour of sun gives {solar.max():.4g} W per kW of panels, with pv_kw of "
            f"{facts.pv_kw:g}; expected {low:g} to {high:g}"
        )
    zeros = np.zeros(len(load))
    return {
        "non_shiftable_load": load,
        "dhw_demand": zeros,
        "cooling_demand": zeros,
        "heating_demand": zeros,
        "solar_generation": solar,
    }


def _weather(readings: Readings, slots: range) -> dict[str, Floats]:
    """Columns of the weather; zeros for a home that has none. Shape ``(hours,)`` each."""
    hours = len(slots) // 2
    if readings.weather is None:
        return dict.fromkeys(WEATHER_COLUMNS, np.zeros(hours))
    rows = slice(slots.start - readings.first_slot, slots.stop - readings.first_slot)
    temperature, humidity, ghi, _ = readings.weather[:, rows].astype(np.float64).reshape(4, -1, 2).mean(axis=2)
    height = np.maximum(np.cos(np.radians(sky_of(slots).zenith_deg)), 0.0).reshape(-1, 2).mean(axis=1)
    day_of_year = np.asarray(pd.DatetimeIndex([utc_of(slots.start).date()]).day_of_year)[0] + np.arange(hours) // 24
    direct, _ = split_ghi(ghi, np.degrees(np.arccos(height)), (day_of_year - 1) % 365 + 1)
    direct = np.where(height > _LOWEST_SUN, np.minimum(direct, ghi / np.maximum(height, _LOWEST_SUN)), 0.0)
    # The diffuse part is what is left, so that the sum on the ground is kept.
    return dict(zip(WEATHER_COLUMNS, (temperature, humidity, ghi - direct * height, direct), strict=True))


def _building(facts: HomeFacts, weather: str) -> dict[str, object]:
    """A home in the schema."""
    building: dict[str, object] = {
        "include": True,
        "energy_simulation": f"{facts.home_id}.csv",
        "weather": weather,
        "carbon_intensity": None,
        "pricing": None,
        "inactive_observations": [],
        "inactive_actions": [],
    }
    battery = facts.battery
    if battery.capacity_kwh:
        building["electrical_storage"] = {
            "type": "citylearn.energy_model.Battery",
            "autosize": False,
            "attributes": {
                "capacity": battery.capacity_kwh,
                "nominal_power": battery.max_power_kw,
                "efficiency": battery.one_way_efficiency,
                "depth_of_discharge": 1 - battery.min_soc,
            },
        }
    if facts.pv_kw:
        attributes = {"nominal_power": facts.pv_kw}
        building["pv"] = {"type": "citylearn.energy_model.PV", "autosize": False, "attributes": attributes}
    return building


def _schema(first_day: date, hours: int, buildings: dict[str, dict[str, object]]) -> dict[str, object]:
    """The schema of the data set."""
    observed = ("month", "day_type", "hour", *WEATHER_COLUMNS)
    own = ("non_shiftable_load", "solar_generation", "electrical_storage_soc", "net_electricity_consumption")
    observations = {name: {"active": True, "shared_in_central_agent": True} for name in observed}
    observations |= {name: {"active": True, "shared_in_central_agent": False} for name in own}
    return {
        "random_seed": 0,
        "root_directory": None,
        "central_agent": False,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": hours - 1,
        "episode_time_steps": None,
        "rolling_episode_split": False,
        "random_episode_split": False,
        "seconds_per_time_step": 3600,
        DATING_KEY: {"first_date": first_day.isoformat(), "daylight_saving": False, "hours_named_by": "end"},
        "observations": observations,
        "actions": {"electrical_storage": {"active": True}},
        "agent": {"type": "citylearn.agents.base.BaselineAgent", "attributes": {}},
        "reward_function": {"type": "citylearn.reward_function.RewardFunction", "attributes": {}},
        "buildings": buildings,
    }
