from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from common.readings import (
    CHANNELS,
    FORECAST_LEAD_HOURS,
    HomeFacts,
    Readings,
    WeatherForecast,
    home_folders,
    read_facts,
    read_forecast,
    read_readings,
    write_home,
)


def table(n: int = 96) -> Readings:
    channels = np.arange(6 * n).reshape(6, n) % 50
    return Readings(
        first_slot=970_000,
        load_wh=channels.sum(axis=0),
        pv_wh=np.arange(n) % 7,
        channels=channels,
        weather=np.ones((4, n), np.float32),
    )


def test_a_homes_folder_round_trips(tmp_path: Path) -> None:
    facts = HomeFacts(home_id="home-1", resolution_slots=2, pv_kw=4.5)
    forecast = WeatherForecast(
        np.array([970_000, 970_012]), np.random.default_rng(0).random((2, FORECAST_LEAD_HOURS, 4)).astype(np.float32)
    )
    write_home(tmp_path / "home-1", facts, table(), forecast)
    assert home_folders(tmp_path) == [tmp_path / "home-1"]
    assert read_facts(tmp_path / "home-1") == facts
    got, want = read_readings(tmp_path / "home-1"), table()
    assert got.first_slot == want.first_slot
    for name in ("load_wh", "pv_wh", "channels", "weather"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
    issued = read_forecast(tmp_path / "home-1")
    assert issued is not None
    np.testing.assert_array_equal(issued.values, forecast.values)
    np.testing.assert_array_equal(issued.issue_slot, forecast.issue_slot)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="load_wh"), "column load_wh is missing"),
        (lambda t: t.drop(index=[5]), "without gap or duplicate"),
        (lambda t: pd.concat([t, t.tail(1)]), "without gap or duplicate"),
        (lambda t: t.assign(load_wh=t["load_wh"].where(t.index != 3)), "row 3: empty"),
        (lambda t: t.assign(pv_wh=t["pv_wh"] - 1), "column pv_wh, row 0: -1 Wh"),
        (lambda t: t.assign(load_wh=t["load_wh"] * 10_000), "expected 0 to"),
        (lambda t: t.assign(temperature_c=float("nan")), "temperature_c, row 0: not a finite number"),
        (lambda t: t.head(0), "no rows"),
    ],
)
def test_bad_readings_say_what_and_where(tmp_path: Path, change: object, says: str) -> None:
    write_home(tmp_path / "h", HomeFacts(home_id="h"), table())
    path = tmp_path / "h" / "readings.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)  # type: ignore[operator]
    with pytest.raises(UserError, match=says):
        read_readings(tmp_path / "h")


def test_negative_energy_is_never_written(tmp_path: Path) -> None:
    bad = table()
    assert bad.channels is not None
    bad.channels[0, 4] = -1
    with pytest.raises(UserError, match=f"column {CHANNELS[0]}, row 4"):
        write_home(tmp_path / "h", HomeFacts(home_id="h"), bad)
    assert not (tmp_path / "h" / "home.json").exists()


def test_not_a_home(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"home\.json is missing"):
        read_facts(tmp_path)
    for text, says in (
        ('{"home_id": "a b"}', "key home_id: String should match"),
        ('{"home_id": "a", "battery": {"capacity_kwh": 13500}}', "key battery.capacity_kwh: .* equal to 1000"),
        ('{"home_id": "a", "battery": {"max_power_kw": 5000}}', "key battery.max_power_kw: .* equal to 1000"),
        ('{"home_id": "a", "battery": {"min_soc": 0.9}}', "key battery: .* min_soc is above max_soc"),
        ("{", "not JSON"),
    ):
        (tmp_path / "home.json").write_text(text)
        with pytest.raises(UserError, match=rf"home\.json: {says}"):
            read_facts(tmp_path)
