from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.clock import day_slots
from datagen.household import generate_home
from datagen.weather import Weather, make_weather, sky_of

YEAR = range(day_slots(date(2024, 6, 18)).start, day_slots(date(2025, 6, 18)).start)


@pytest.fixture(scope="session")
def year() -> range:
    return YEAR


@pytest.fixture(scope="session")
def weather() -> Weather:
    return make_weather(0, YEAR)


@pytest.fixture(scope="session")
def homes(weather):
    return [generate_home(index, 0, YEAR, weather, solar=True) for index in range(40)]


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Folder of real homes by name; the test is skipped where there is none."""

    def find(name: str) -> Path:
        default = Path(__file__).parents[2].parent / "shared" / "data"
        folder = Path(os.environ.get("COMMONWATT_REAL_DATA", default)) / name
        if not (folder / "schema.json").is_file():
            pytest.skip(f"no real homes at {folder}; name their folder in COMMONWATT_REAL_DATA")
        return folder

    return find


class Folder:
    """A small hand-made CityLearn folder: two homes, standard time, hours by their end, from Thursday 1 June 2017."""

    start = datetime(2017, 6, 1)
    days = 100

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        wall = [self.start + timedelta(hours=k) for k in range(24 * self.days)]
        first_slot = day_slots(self.start.date()).start + 2  # midnight standard time is 01:00 in summer
        sky = sky_of(range(first_slot, first_slot + 2 * len(wall)))
        hourly = sky.clear_ghi_w_m2.reshape(-1, 2).mean(axis=1)
        cloud = np.repeat(0.5 + 0.5 * (np.arange(self.days) % 3 == 0), 24)
        clock = pd.DataFrame(
            {
                "month": [t.month for t in wall],
                "hour": [t.hour + 1 for t in wall],
                "day_type": [t.isoweekday() for t in wall],
            }
        )
        zeros = dict.fromkeys(("cooling_demand", "heating_demand", "dhw_demand"), 0.0)
        shape = 0.4 + 0.3 * np.sin(np.arange(len(wall)) / 3.8) ** 2
        self.save("a.csv", clock.assign(non_shiftable_load=shape, **zeros, solar_generation=0.8 * cloud * hourly))
        self.save(
            "b.csv",
            clock.assign(non_shiftable_load=2 * shape, **(zeros | {"cooling_demand": 0.7}), solar_generation=0.0),
        )
        self.save(
            "weather.csv",
            pd.DataFrame(
                {
                    "outdoor_dry_bulb_temperature": 20 + 8 * np.sin(np.arange(len(wall)) / 24),
                    "outdoor_relative_humidity": 50.0,
                    "diffuse_solar_irradiance": 0.2 * cloud * hourly,
                    "direct_solar_irradiance": 0.7 * cloud * hourly,
                }
            ),
        )
        self.save_schema(
            {
                "A 1": {
                    "energy_simulation": "a.csv",
                    "weather": "weather.csv",
                    "pv": {"attributes": {"nominal_power": 5}},
                },
                "B": {"energy_simulation": "b.csv", "weather": "weather.csv"},
            }
        )

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.path / name)

    def save(self, name: str, table: pd.DataFrame) -> None:
        table.to_csv(self.path / name, index=False)

    def save_schema(self, buildings: dict[str, object]) -> None:
        (self.path / "schema.json").write_text(json.dumps({"buildings": buildings}))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "homes")
