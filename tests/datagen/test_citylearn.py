from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from common.clock import day_slots, local_of, utc_of
from common.config import RunConfig
from common.errors import UserError
from common.readings import home_folders, read_facts, read_forecast, read_readings
from datagen.community import prepare_homes
from datagen.importers import IMPORTERS, importer_for
from datagen.importers.citylearn import load
from datagen.importers.labels import CLOCKS, HourClock, first_date, hour_rows, infer_clock, utc_hours
from datagen.weather import sky_of


def test_a_small_folder(folder):
    assert importer_for(str(folder.path)) is IMPORTERS["citylearn"]
    imported = load(str(folder.path))
    (facts, readings), (facts_b, readings_b) = imported.homes
    assert (facts.home_id, facts_b.home_id) == ("A-1", "B")
    assert facts.resolution_slots == 2 and facts.pv_kw == 5 and facts_b.pv_kw == 0
    assert utc_of(readings.first_slot).isoformat() == "2017-06-01T08:00:00+00:00"  # midnight, UTC-8
    assert len(readings) == 48 * folder.days
    a, b = folder.table("a.csv"), folder.table("b.csv")
    assert abs(readings.load_wh.sum() - 1000 * a.non_shiftable_load.sum()) <= 1
    assert abs(readings.pv_wh.sum() - 5 * a.solar_generation.sum()) <= 1
    assert abs(readings_b.load_wh.sum() - 1000 * (b.non_shiftable_load + 0.7 / 3.5).sum()) <= 1
    halves = readings.load_wh.reshape(-1, 2)
    assert np.abs(halves[:, 0] - halves[:, 1]).max() <= 1
    assert np.abs(halves.sum(axis=1) - 1000 * a.non_shiftable_load).max() <= 1
    assert readings.channels is None
    weather = folder.table("weather.csv")
    np.testing.assert_allclose(readings.weather[0, ::2], weather.outdoor_dry_bulb_temperature, rtol=1e-6)
    np.testing.assert_array_equal(readings.weather[0, ::2], readings.weather[0, 1::2])
    assert not readings.weather[3].any()
    assert imported.weather is not None


def test_the_future_in_predicted_columns_is_never_read(folder):
    before = load(str(folder.path)).homes[0][1]
    weather = folder.table("weather.csv")
    folder.save("weather.csv", weather.assign(outdoor_dry_bulb_temperature_predicted_1="nonsense"))
    np.testing.assert_array_equal(load(str(folder.path)).homes[0][1].weather, before.weather)


def test_weather_of_another_place_gives_no_forecast(folder):
    weather = folder.table("weather.csv")
    weather["direct_solar_irradiance"] = 500.0 * (np.arange(len(weather)) // 24 % 3 == 1)
    weather["diffuse_solar_irradiance"] = 0.0
    folder.save("weather.csv", weather)
    imported = load(str(folder.path))
    assert imported.weather is None
    assert any("does not match" in warning for warning in imported.warnings)


def test_efficiencies_of_the_schema_are_used(folder):
    b = folder.table("b.csv").assign(heating_demand=0.9, dhw_demand=0.8, cooling_demand=0.0)
    folder.save("b.csv", b)
    schema = json.loads((folder.path / "schema.json").read_text())["buildings"]
    schema["B"] |= {
        "dhw_device": {"type": "citylearn.energy_model.ElectricHeater", "attributes": {"efficiency": 0.8}},
        "heating_device": {
            "type": "citylearn.energy_model.HeatPump",
            "attributes": {"efficiency": 0.3, "target_heating_temperature": 45.0},
        },
    }
    folder.save_schema(schema)
    outside = folder.table("weather.csv").outdoor_dry_bulb_temperature
    cop = 0.3 * (45 + 273.15) / (45 - outside)
    expected = (b.non_shiftable_load + 1.0 + 0.9 / cop).sum()
    assert abs(load(str(folder.path)).homes[1][1].load_wh.sum() - 1000 * expected) <= 1


def _edit(name, column, row, value):
    def change(folder):
        table = folder.table(name).astype({column: object})
        table.loc[row, column] = value
        folder.save(name, table)

    return change


def _drop_rows(name, rows):
    return lambda folder: folder.save(name, folder.table(name).drop(index=rows))


def _repeat_row(name, row):
    def change(folder):
        table = folder.table(name)
        folder.save(name, pd.concat([table[: row + 1], table[row:]]))

    return change


def _drop_column(name, column):
    return lambda folder: folder.save(name, folder.table(name).drop(columns=column))


def _scale(column, factor):
    def change(folder):
        table = folder.table("a.csv")
        folder.save("a.csv", table.assign(**{column: table[column] * factor}))

    return change


def _schema(**home):
    return lambda folder: folder.save_schema({"A": {"energy_simulation": "a.csv", "weather": "weather.csv"} | home})


BAD = {
    "missing column": (
        _drop_column("a.csv", "cooling_demand"),
        r"a\.csv: column cooling_demand is missing \(found: month",
    ),
    "Wh for kWh": (
        _scale("non_shiftable_load", 1000),
        r"a\.csv, column non_shiftable_load: .* looks like Wh; expected kWh",
    ),
    "kW for W": (_scale("solar_generation", 0.001), r"column solar_generation: .* expected W per kW of panels"),
    "gap of an hour": (_drop_rows("a.csv", [30]), r"a\.csv, line 32, column hour: 8 after 6; expected 7"),
    "gap of a day": (
        _drop_rows("a.csv", range(48, 72)),
        r"a\.csv, line 50, column month, day_type: .*day_type 7 follow",
    ),
    "duplicate": (_repeat_row("a.csv", 30), r"a\.csv, line 33, column hour: 7 after 7; expected 8"),
    "hour 0": (_edit("a.csv", "hour", 3, 0), r"a\.csv, line 5, column hour: 0; expected 1 to 24"),
    "negative load": (
        _edit("a.csv", "non_shiftable_load", 9, -1),
        r"line 11, column non_shiftable_load: -1 is negative",
    ),
    "negative solar": (_edit("a.csv", "solar_generation", 9, -5), r"line 11, column solar_generation: -5 is negative"),
    "empty cell": (_edit("b.csv", "non_shiftable_load", 9, None), r"b\.csv, line 11, column non_shiftable_load: empty"),
    "text": (
        _edit("b.csv", "non_shiftable_load", 9, "12,5"),
        r"line 11, column non_shiftable_load: '12,5' is not a finite",
    ),
    "infinite": (_edit("b.csv", "non_shiftable_load", 9, "inf"), r"b\.csv, line 11, .* is not a finite number"),
    "homes differ": (_drop_rows("b.csv", range(2376, 2400)), "the homes cover different hours"),
    "one month": (lambda f: [f.save(n, f.table(n)[:600]) for n in ("a.csv", "b.csv")], "at least a change of month"),
    "no rows": (lambda folder: folder.save("a.csv", folder.table("a.csv")[:0]), r"a\.csv: no rows"),
    "empty file": (lambda folder: (folder.path / "a.csv").write_text(""), r"a\.csv: the file is empty"),
    "binary file": (
        lambda folder: (folder.path / "a.csv").write_bytes(b"\xff\xfe\x00\x81"),
        r"a\.csv: not text in UTF-8; save it as",
    ),
    "missing file": (lambda folder: (folder.path / "b.csv").unlink(), r"b\.csv: the schema names this file"),
    "weather rows": (_drop_rows("weather.csv", [5]), r"weather\.csv: 2399 rows, but the homes have 2400"),
    "weather column": (_drop_column("weather.csv", "direct_solar_irradiance"), r"weather\.csv: column direct_solar"),
    "schema text": (lambda folder: (folder.path / "schema.json").write_text("{"), "not a CityLearn schema"),
    "other JSON": (lambda folder: (folder.path / "schema.json").write_text("[1]"), "not a CityLearn schema"),
    "no homes": (lambda folder: folder.save_schema({}), "no building is included"),
    "no weather": (_schema(weather=None), "building A: 'weather' is missing"),
    "no PV rating": (_schema(), "pv nominal_power is None; expected kW"),
    "efficiency": (
        _schema(energy_simulation="b.csv", cooling_device={"type": "x.HeatPump", "attributes": {"efficiency": 35}}),
        "cooling_device efficiency 35; expected 0 to 1",
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_data_is_named(folder, tmp_path, case):
    spoil, message = BAD[case]
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        prepare_homes(RunConfig(data=str(folder.path), homes=0), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_schema_is_no_known_format(tmp_path):
    (tmp_path / "schema.txt").touch()
    with pytest.raises(UserError, match=r"not a known format \(it holds schema\.txt; 'python -m datagen formats'"):
        importer_for(str(tmp_path))


def _labels(start: str, hours: int, first_hour_back: int = 0):
    wall = pd.date_range(start, periods=hours, freq="h") - pd.Timedelta(hours=first_hour_back)
    return {
        "month": wall.month.to_numpy(float),
        "hour": wall.hour.to_numpy(float) + 1,
        "day_type": wall.day_of_week.to_numpy(float) + 1,
    }


@pytest.mark.parametrize("start", ["2016-08-01", "2018-01-01", "2019-05-17", "2020-02-10", "2021-01-01"])
def test_the_latest_fitting_year_is_found(tmp_path, start):
    assert first_date(tmp_path, _labels(start, 24 * 360)) == date.fromisoformat(start)
    assert first_date(tmp_path, _labels(start, 24 * 360, 1)) < date.fromisoformat(start)


def test_holiday_types_fit_any_weekday(tmp_path):
    table = _labels("2018-01-01", 24 * 200)
    table["day_type"][:24] = 8
    assert first_date(tmp_path, table) == date(2018, 1, 1)


@pytest.mark.parametrize("clock", CLOCKS, ids=str)
def test_the_clock_is_found_from_solar_production(clock):
    rows = 24 * 300
    hours = utc_hours(date(2018, 1, 1), 1, rows, clock)
    origin, order = hour_rows(hours)
    ghi = sky_of(range(2 * origin, 2 * origin + 2 * len(order))).clear_ghi_w_m2.reshape(-1, 2).mean(axis=1)
    solar = np.zeros(rows)
    solar[order] = ghi * np.random.default_rng(0).uniform(0.4, 1.0, len(ghi))
    assert infer_clock(date(2018, 1, 1), 1, [solar]) == clock


def test_daylight_saving_repeats_an_hour_and_leaves_one_out():
    hours = utc_hours(date(2017, 3, 11), 1, 24 * 3, HourClock(daylight_saving=True, names_beginning=False))
    assert (hours == -1).sum() == 1 and hours[24 + 2] == -1  # 02:00-03:00 on 12 March
    origin, order = hour_rows(hours)
    assert len(order) == 71 and local_of(2 * origin).hour == 0
    hours = utc_hours(date(2016, 11, 5), 1, 24 * 3, HourClock(daylight_saving=True, names_beginning=False))
    _, order = hour_rows(hours)
    assert len(order) == 73 and (order == 25).sum() == 2  # 01:00-02:00 on 6 November


def _config(folder, **change):
    return replace(RunConfig(data=str(folder.path), homes=0), **change)


def test_the_run_is_placed_at_the_end(folder, tmp_path):
    manifest = prepare_homes(_config(folder, days=3), tmp_path / "a")
    assert (manifest.first_day, manifest.last_day) == (date(2017, 6, 2), date(2017, 9, 8))
    assert manifest.start_date == date(2017, 9, 6)
    readings = read_readings(tmp_path / "a" / "B")
    assert readings.end_slot >= day_slots(manifest.last_day).stop
    assert read_forecast(tmp_path / "a" / "B") is not None


def test_a_date_must_lie_inside_the_data(folder, tmp_path):
    assert prepare_homes(_config(folder, date="2017-07-28"), tmp_path / "a").start_date == date(2017, 7, 28)
    for change in ({"date": "2017-07-27"}, {"date": "2017-09-08", "days": 2}, {"test_days": "2017-08-01,2017-10-01"}):
        with pytest.raises(UserError, match=r"must lie between 2017-07-28 .* and 2017-09-08"):
            prepare_homes(_config(folder, **change), tmp_path / "b")


def test_solar_is_kept_by_share(folder, tmp_path):
    for share, kept, warned in ((0.0, 0, False), (0.5, 1, False), (-1.0, 1, False), (1.0, 1, True)):
        root = tmp_path / f"share{share}"
        manifest = prepare_homes(_config(folder, solar_share=share), root)
        assert sum(read_facts(home).pv_kw > 0 for home in home_folders(root)) == kept
        assert sum(read_readings(home).pv_wh.any() for home in home_folders(root)) == kept
        assert any("have panels" in warning for warning in manifest.warnings) == warned


def test_homes_with_a_dead_meter_come_last(folder, tmp_path):
    table = folder.table("a.csv")
    table.loc[:300, "non_shiftable_load"] = 0.0
    folder.save("a.csv", table)
    sound = prepare_homes(_config(folder), tmp_path / "a")
    assert sound.homes == ["B"] and any("A-1" in warning and "left out" in warning for warning in sound.warnings)
    assert prepare_homes(_config(folder, homes=1), tmp_path / "b").homes == ["B"]
    both = prepare_homes(_config(folder, homes=2), tmp_path / "c")
    assert both.homes == ["A-1", "B"] and any("taken" in warning for warning in both.warnings)


def test_more_homes_than_there_are(folder, tmp_path):
    with pytest.raises(UserError, match=r"asked for 10 homes, .*homes has 2"):
        prepare_homes(_config(folder, homes=10), tmp_path / "a")


def test_changed_files_are_other_inputs(folder, tmp_path):
    prepare_homes(_config(folder), tmp_path / "a")
    _edit("a.csv", "non_shiftable_load", 0, 0.9)(folder)
    with pytest.raises(UserError, match=r"other options \(data\)"):
        prepare_homes(_config(folder), tmp_path / "a")


@pytest.mark.real
def test_fontana(real_data, tmp_path):
    path = real_data("fontana")
    manifest = prepare_homes(RunConfig(data=str(path), homes=0), tmp_path / "a")
    assert (manifest.first_day, manifest.last_day) == (date(2016, 8, 1), date(2017, 7, 31))
    assert len(manifest.homes) == 7 and "Building_7" not in manifest.homes
    assert any("daylight saving, hours named by their beginning" in warning for warning in manifest.warnings)
    for folder in home_folders(tmp_path / "a"):
        readings, table = read_readings(folder), pd.read_csv(path / f"{folder.name}.csv")
        assert len(readings) == 365 * 48
        wall_changes = 1000 * table.non_shiftable_load.max()  # an hour is repeated and another left out
        assert abs(readings.load_wh.sum() - 1000 * table.non_shiftable_load.sum()) <= wall_changes
        assert read_forecast(folder) is None
        if readings.pv_wh.any():
            assert abs(readings.pv_wh.sum() - 4 * table.solar_generation.sum()) <= 1
    assert sum(read_facts(folder).pv_kw > 0 for folder in home_folders(tmp_path / "a")) == 4


@pytest.mark.real
def test_alameda(real_data, tmp_path):
    path = real_data("alameda")
    manifest = prepare_homes(RunConfig(data=str(path), homes=0), tmp_path / "a")
    assert (manifest.first_day, manifest.last_day) == (date(2018, 1, 1), date(2018, 12, 31))
    assert len(manifest.homes) == 10
    for folder in home_folders(tmp_path / "a"):
        readings, table = read_readings(folder), pd.read_csv(path / f"{folder.name}.csv")
        kwh = table.non_shiftable_load + table.cooling_demand / 3.5 + table.heating_demand / 3 + table.dhw_demand / 0.95
        assert abs(readings.load_wh.sum() - 1000 * kwh.sum()) <= 1
        assert not readings.pv_wh.any() and read_forecast(folder) is not None
