from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.clock import day_slots, local_of
from common.errors import UserError
from datagen.site import Site, sky_of
from datagen.weather import Weather
from datagen.weather_files import WEATHER_FORMATS, epw, nsrdb, open_meteo, read_weather, typical_weather

SITE = Site("Testville", 37.7, -122.2, 20.0)
PST = timedelta(hours=-8)
CHANGES = (date(2024, 3, 10), date(2024, 11, 3))
WHOLE_2024 = range(day_slots(date(2024, 1, 1)).start, day_slots(date(2025, 1, 1)).start)


def temperature_at(moment: datetime) -> float:
    """A temperature that is known at any instant: linear within each hour, another in each hour of the year."""
    hours = moment.timestamp() / 3600
    low, high = (15 + 10 * np.sin(whole * 0.7) for whole in (np.floor(hours), np.floor(hours) + 1))
    return float(low + (high - low) * (hours - np.floor(hours)))


@lru_cache
def clear_ghi(year: int) -> tuple[int, np.ndarray]:
    slots = range(day_slots(date(year, 1, 1)).start - 48, day_slots(date(year + 1, 1, 1)).stop + 48)
    return slots.start, sky_of(slots, SITE).clear_ghi_w_m2


def ghi_of_hour(begin: datetime) -> float:
    """A mean irradiance that is another in each hour, and 0 where the sun is down in both halves."""
    first, clear = clear_ghi(begin.year)
    slot = int(begin.timestamp()) // 1800
    return round(0.8 * float(clear[slot - first : slot - first + 2].mean()) * (0.7 + 0.3 * np.cos(slot)), 3)


def hours_of(first: date, last: date) -> list[datetime]:
    """Beginnings of the hours of standard-time days."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC) - PST
    count = ((last - first).days + 1) * 24
    return [start + timedelta(hours=hour) for hour in range(count)]


def epw_text(hours: list[datetime], year_of=lambda moment: moment.year) -> str:
    lines = ["LOCATION,Testville,CA,USA,TEST,724930,37.7,-122.2,-8.0,20.0", *["COMMENTS 1,none"] * 6]
    lines.append("DATA PERIODS,1,1,Data,Monday, 1/ 1,12/31")
    for begin in hours:
        local = begin + PST
        cells = ["0"] * 35
        cells[:6] = [str(year_of(local)), str(local.month), str(local.day), str(local.hour + 1), "0", "?9"]
        ghi = ghi_of_hour(begin)
        cells[6] = f"{temperature_at(begin + timedelta(hours=1)):.6f}"
        cells[8], cells[21], cells[33] = "55", "3.5", "0"
        cells[13], cells[14], cells[15] = str(ghi), str(round(0.5 * ghi, 3)), str(round(0.3 * ghi, 3))
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def nsrdb_text(moments: list[tuple[datetime, float]], zone: int = -8) -> str:
    """Records at instants with an irradiance each."""
    lines = [
        "Source,Location ID,City,State,Country,Latitude,Longitude,Time Zone,Elevation,Local Time Zone,Version",
        f"NSRDB,1,-,-,-,37.7,-122.2,{zone},20,-8,4.0.0",
        "Year,Month,Day,Hour,Minute,Temperature,DHI,DNI,GHI,Relative Humidity,Wind Speed",
    ]
    for moment, ghi in moments:
        local = moment + timedelta(hours=zone)
        row = [local.year, local.month, local.day, local.hour, local.minute]
        row += [round(temperature_at(moment), 6), round(0.3 * ghi, 3), round(0.5 * ghi, 3), ghi, 55, 3.5]
        lines.append(",".join(map(str, row)))
    return "\n".join(lines) + "\n"


def open_meteo_answer(hours: list[datetime]) -> dict[str, object]:
    ends = [begin + timedelta(hours=1) for begin in hours]
    ghi = [ghi_of_hour(begin) for begin in hours]
    return {
        "latitude": 37.7, "longitude": -122.2, "elevation": 20.0, "utc_offset_seconds": 0, "timezone": "GMT",
        "hourly_units": {
            "time": "iso8601", "temperature_2m": "°C", "relative_humidity_2m": "%", "shortwave_radiation": "W/m²",
            "direct_normal_irradiance": "W/m²", "diffuse_radiation": "W/m²", "wind_speed_10m": "km/h",
            "precipitation": "mm",
        },
        "hourly": {
            "time": [end.strftime("%Y-%m-%dT%H:%M") for end in ends],
            "temperature_2m": [temperature_at(end) for end in ends],
            "relative_humidity_2m": [55] * len(ends),
            "shortwave_radiation": ghi,
            "direct_normal_irradiance": [0.5 * value for value in ghi],
            "diffuse_radiation": [0.3 * value for value in ghi],
            "wind_speed_10m": [12.6] * len(ends),
            "precipitation": [0.6] * len(ends),
        },
    }  # fmt: skip


def write(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def around(day: date) -> tuple[date, date]:
    return day - timedelta(days=3), day + timedelta(days=3)


def source_of(tmp_path: Path, kind: str, day: date) -> str:
    hours = hours_of(*around(day))
    if kind == "epw":
        return write(tmp_path, "w.epw", epw_text(hours))
    if kind == "nsrdb":
        return write(tmp_path, "w.csv", nsrdb_text([(h + timedelta(minutes=30), ghi_of_hour(h)) for h in hours]))
    if kind == "nsrdb-utc":
        moments = [(h + timedelta(minutes=30), ghi_of_hour(h)) for h in hours]
        return write(tmp_path, "w.csv", nsrdb_text(moments, zone=0))
    return write(tmp_path, "w.json", json.dumps(open_meteo_answer(hours)))


def valid(weather: Weather, slots: range) -> None:
    assert weather.first_slot == slots.start and len(weather) == len(slots)
    for column in (weather.channels, weather.direct_normal_w_m2, weather.diffuse_w_m2):
        assert np.isfinite(column).all()
    assert (weather.irradiance_w_m2 >= 0).all() and (weather.humidity_pct <= 100).all()
    assert not weather.irradiance_w_m2[weather.sky.clear_ghi_w_m2 == 0].any()


# -- what is read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", CHANGES)
@pytest.mark.parametrize("kind", ["epw", "nsrdb", "nsrdb-utc", "open-meteo"])
def test_known_values_come_back_over_a_change_of_clocks(tmp_path, kind, day):
    slots = range(day_slots(day - timedelta(days=1)).start, day_slots(day + timedelta(days=1)).stop)
    weather = read_weather(source_of(tmp_path, kind, day), slots)
    valid(weather, slots)
    assert len(day_slots(day)) in (46, 50)
    for row, slot in enumerate(slots):
        begin = datetime.fromtimestamp(slot * 1800, UTC)
        hour = begin.replace(minute=0)
        halves = weather.irradiance_w_m2[row - row % 2 : row - row % 2 + 2]
        assert halves.mean() == pytest.approx(ghi_of_hour(hour), abs=0.01), local_of(slot)
        direct = weather.direct_normal_w_m2[row - row % 2 : row - row % 2 + 2]
        assert direct.mean() == pytest.approx(0.5 * ghi_of_hour(hour), abs=0.01)
        if kind in ("epw", "open-meteo"):  # the instants are the full hours, between which it is linear
            middle = begin + timedelta(minutes=15)
            assert weather.temperature_c[row] == pytest.approx(temperature_at(middle), abs=1e-4), local_of(slot)
    assert weather.humidity_pct == pytest.approx(np.full(len(slots), 55.0))
    assert weather.wind_m_s == pytest.approx(np.full(len(slots), 3.5))


def test_halves_of_an_hour_follow_the_sun(tmp_path):
    slots = day_slots(date(2024, 3, 10))
    weather = read_weather(source_of(tmp_path, "epw", date(2024, 3, 10)), slots)
    ratio = weather.irradiance_w_m2 / np.where(weather.sky.clear_ghi_w_m2 > 0, weather.sky.clear_ghi_w_m2, np.nan)
    pairs = ratio[: len(ratio) // 2 * 2].reshape(-1, 2)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    np.testing.assert_allclose(pairs[:, 0], pairs[:, 1], rtol=1e-9)


def test_instants_of_an_nsrdb_hour_are_its_middle(tmp_path):
    day = date(2024, 6, 18)
    hours = hours_of(*around(day))
    text = nsrdb_text([(h + timedelta(minutes=30), ghi_of_hour(h)) for h in hours])
    weather = read_weather(write(tmp_path, "w.csv", text), day_slots(day))
    for row, slot in enumerate(day_slots(day)):
        middle = slot * 1800 + 900
        left = datetime.fromtimestamp((middle - 1800) // 3600 * 3600 + 1800, UTC)  # the half past before it
        share = (middle - left.timestamp()) / 3600
        expected = temperature_at(left) * (1 - share) + temperature_at(left + timedelta(hours=1)) * share
        assert weather.temperature_c[row] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("minute", [0, 15])
def test_half_hourly_nsrdb(tmp_path, minute):
    day = date(2024, 6, 18)
    moments = [h + timedelta(minutes=minute + half) for h in hours_of(*around(day)) for half in (0, 30)]
    ghi = {moment: 400.0 + 100 * np.sin(index) for index, moment in enumerate(moments)}
    weather = read_weather(
        write(tmp_path, "w.csv", nsrdb_text([(m, round(ghi[m], 3)) for m in moments])), day_slots(day)
    )
    noon = day_slots(day).start + 26
    begin = datetime.fromtimestamp(noon * 1800, UTC)
    if minute == 15:  # the stamp is the slot's middle
        expected = ghi[begin + timedelta(minutes=15)]
    else:  # instants at the slot's two ends
        expected = (ghi[begin] + ghi[begin + timedelta(minutes=30)]) / 2
    assert weather.irradiance_w_m2[26] == pytest.approx(expected, abs=1e-3)


def test_the_epw_reader_agrees_with_pvlib(tmp_path):
    from pvlib.iotools import read_epw

    source = write(tmp_path, "w.epw", epw_text(hours_of(date(2024, 5, 1), date(2024, 5, 20))))
    table, place = read_epw(source)
    records = epw.read(source, Path(source).read_text())
    np.testing.assert_array_equal(records.start_min, np.asarray(table.index.as_unit("s").asi8) // 60)
    for ours, theirs in (
        ("ghi_w_m2", "ghi"),
        ("dni_w_m2", "dni"),
        ("temperature_c", "temp_air"),
        ("wind_m_s", "wind_speed"),
    ):
        np.testing.assert_allclose(records.columns[ours], table[theirs])
    assert records.site.latitude_deg == place["latitude"]


def test_the_nsrdb_reader_agrees_with_pvlib(tmp_path):
    iotools = pytest.importorskip("pvlib.iotools")
    if not hasattr(iotools, "read_nsrdb_psm4"):
        pytest.skip("this pvlib reads no PSM4")
    moments = [(h + timedelta(minutes=30), ghi_of_hour(h)) for h in hours_of(date(2024, 5, 1), date(2024, 5, 5))]
    source = write(tmp_path, "w.csv", nsrdb_text(moments))
    table, _ = iotools.read_nsrdb_psm4(source)
    records = nsrdb.read(source, Path(source).read_text())
    np.testing.assert_array_equal(records.start_min + 30, np.asarray(table.index.as_unit("s").asi8) // 60)
    np.testing.assert_allclose(records.columns["ghi_w_m2"], table["ghi"])


def test_precipitation_is_of_the_half_hour(tmp_path):
    weather = read_weather(source_of(tmp_path, "open-meteo", date(2024, 6, 18)), day_slots(date(2024, 6, 18)))
    assert weather.rain_mm is not None
    assert weather.rain_mm.sum() == pytest.approx(24 * 0.6)


def test_without_direct_and_diffuse_the_global_is_split(tmp_path):
    answer = open_meteo_answer(hours_of(*around(date(2024, 6, 18))))
    del answer["hourly"]["direct_normal_irradiance"], answer["hourly"]["diffuse_radiation"]
    weather = read_weather(write(tmp_path, "w.json", json.dumps(answer)), day_slots(date(2024, 6, 18)))
    height = np.cos(np.radians(weather.sky.zenith_deg))
    high = height > 0.2
    total = weather.direct_normal_w_m2 * height + weather.diffuse_w_m2
    np.testing.assert_allclose(total[high], weather.irradiance_w_m2[high], rtol=0.01)


@pytest.mark.parametrize(("unit", "value"), [("km/h", 12.6), ("m/s", 3.5), ("mp/h", 7.8293), ("kn", 6.8035)])
def test_units_of_open_meteo_are_respected(tmp_path, unit, value):
    answer = open_meteo_answer(hours_of(*around(date(2024, 6, 18))))
    answer["hourly"]["wind_speed_10m"] = [value] * len(answer["hourly"]["time"])
    answer["hourly_units"]["wind_speed_10m"] = unit
    answer["hourly"]["temperature_2m"] = [68.0] * len(answer["hourly"]["time"])
    answer["hourly_units"]["temperature_2m"] = "°F"
    weather = read_weather(write(tmp_path, "w.json", json.dumps(answer)), day_slots(date(2024, 6, 18)))
    assert weather.wind_m_s == pytest.approx(np.full(48, 3.5), abs=1e-3)
    assert weather.temperature_c == pytest.approx(np.full(48, 20.0))


# -- other dates ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def year_file(tmp_path_factory) -> str:
    """2023, whole."""
    return write(tmp_path_factory.mktemp("year"), "y.epw", epw_text(hours_of(date(2023, 1, 1), date(2023, 12, 31))))


def test_a_year_laid_over_its_own_dates_is_the_observed_one(year_file):
    slots = range(day_slots(date(2023, 1, 3)).start, day_slots(date(2023, 12, 28)).stop)
    one, other = read_weather(year_file, slots), typical_weather(year_file, slots)
    np.testing.assert_allclose(one.temperature_c, other.temperature_c, atol=1e-9)
    np.testing.assert_allclose(one.irradiance_w_m2, other.irradiance_w_m2, atol=1e-9)


def test_a_year_is_laid_over_others_by_month_day_and_standard_hour(year_file):
    weather = typical_weather(year_file, WHOLE_2024)
    valid(weather, WHOLE_2024)
    for day in (date(2024, 1, 15), *CHANGES, date(2024, 7, 4), date(2024, 12, 31)):
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - PST  # 12:00 standard time
        row = int(noon.timestamp()) // 1800 - WHOLE_2024.start
        assert weather.irradiance_w_m2[row : row + 2].mean() == pytest.approx(
            ghi_of_hour(noon.replace(year=2023)), abs=0.01
        )
        at = noon.replace(year=2023) + timedelta(minutes=15)
        assert weather.temperature_c[row] == pytest.approx(temperature_at(at), abs=1e-4)


def test_29_february_takes_28_february(year_file):
    weather = typical_weather(year_file, WHOLE_2024)
    rows = [slice(day_slots(day).start - WHOLE_2024.start, day_slots(day).stop - WHOLE_2024.start)
            for day in (date(2024, 2, 28), date(2024, 2, 29))]  # fmt: skip
    np.testing.assert_array_equal(weather.temperature_c[rows[0]], weather.temperature_c[rows[1]])
    sums = [weather.irradiance_w_m2[row].sum() for row in rows]
    assert sums[0] == pytest.approx(sums[1], rel=1e-6)


def test_a_typical_year_serves_the_generator_but_no_known_dates(tmp_path):
    text = epw_text(hours_of(date(2023, 1, 1), date(2023, 12, 31)), lambda local: 1990 + local.month * 7 % 12)
    source = write(tmp_path, "tmy.epw", text)
    with pytest.raises(UserError, match=r"tmy\.epw: a typical year"):
        read_weather(source, day_slots(date(2001, 6, 18)))
    valid(typical_weather(source, WHOLE_2024), WHOLE_2024)


def test_a_leap_year_without_its_leap_day_is_no_typical_year(tmp_path):
    hours = [
        hour for hour in hours_of(date(2024, 1, 1), date(2024, 12, 31)) if (hour + PST).date() != date(2024, 2, 29)
    ]
    source = write(tmp_path, "w.epw", epw_text(hours))
    valid(read_weather(source, day_slots(date(2024, 7, 4))), day_slots(date(2024, 7, 4)))
    with pytest.raises(UserError, match=r"no weather for 2024-02-29 08:00 UTC.*with gaps"):
        read_weather(source, day_slots(date(2024, 2, 29)))


def test_less_than_a_year_is_told(tmp_path):
    source = write(tmp_path, "w.epw", epw_text(hours_of(date(2023, 1, 1), date(2023, 6, 30))))
    with pytest.raises(UserError, match=r"w\.epw: no record for 07-01 00:00, standard time; expected a whole year"):
        typical_weather(source, WHOLE_2024)


def test_dates_that_are_not_covered_are_told(tmp_path):
    source = source_of(tmp_path, "epw", date(2024, 6, 18))
    slots = range(day_slots(date(2024, 6, 20)).start, day_slots(date(2024, 6, 23)).stop)
    with pytest.raises(
        UserError, match=r"no weather for 2024-06-22 08:00 UTC; it covers 2024-06-15 08:00 to 2024-06-22"
    ):
        read_weather(source, slots)
    with pytest.raises(UserError, match=r"no weather for 2024-06-10 07:00 UTC"):
        read_weather(source, day_slots(date(2024, 6, 10)))


# -- bad files ------------------------------------------------------------------------------------------------------


def _epw_with(row: int, column: int, value: str, count: int = 1) -> str:
    lines = epw_text(hours_of(*around(date(2024, 6, 18)))).splitlines()
    for index in range(8 + row, 8 + row + count):
        cells = lines[index].split(",")
        cells[column] = value
        lines[index] = ",".join(cells)
    return "\n".join(lines)


def test_short_gaps_are_filled_and_said(tmp_path):
    slots = day_slots(date(2024, 6, 18))
    whole = read_weather(write(tmp_path, "w.epw", _epw_with(80, 21, "3.5")), slots)
    assert whole.notes == ()
    holed = read_weather(write(tmp_path, "h.epw", _epw_with(80, 6, "99.9", 3)), slots)
    assert len(holed.notes) == 1 and "temperature_c was missing in 3 records and is interpolated" in holed.notes[0]
    assert np.isfinite(holed.temperature_c).all() and holed.temperature_c.max() < 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_epw_with(80, 6, "99.9", 4), r"bad\.epw, line 89, temperature_c: missing for 4 hours; expected a gap of at"),
        (_epw_with(80, 13, "9999", 5), r"line 89, ghi_w_m2: missing for 5 hours"),
        (_epw_with(10, 6, "warm"), r"bad\.epw, line 19, column 7 \(dry bulb temperature\): 'warm'; expected a number"),
        (_epw_with(10, 6, "1e999"), r"line 19, column 7 .*expected a finite number"),
        (_epw_with(10, 6, "85"), r"line 19, temperature_c: 85; expected a value from -60 to 60"),
        (_epw_with(10, 13, "-50"), r"line 19, ghi_w_m2: -50; expected a value from -10 to 1600"),
        (_epw_with(10, 1, "13"), r"line 19, column 2 \(month\): '13'; expected a whole number from 1 to 12"),
        (_epw_with(10, 2, "31"), r"line 19: 2024-06-31 is no day"),
        (_epw_with(10, 3, "7"), r"line 19: 2024-06-15 06:00 after 2024-06-15 09:00; expected 2024-06-15 10:00 \(a gap"),
        (_epw_with(10, 3, "25"), r"line 19, column 4 \(hour\): '25'; expected a whole number from 1 to 24"),
        ("\n".join(_epw_with(0, 0, "2024").splitlines()[:8]), r"no records after 8 lines of header"),
        (_epw_with(0, 0, "2024").replace("DATA PERIODS,1,1", "DATA PERIODS,1,2"), r"line 8, records an hour: '2'"),
        (_epw_with(0, 0, "2024").replace(",37.7,", ",137.7,", 1), r"line 1, latitude: '137.7'"),
        ("LOCATION,Nowhere\n", r"line 1: expected LOCATION and nine values"),
        ("hello\n", r"not a known format of weather \(epw: .*nsrdb: .*open-meteo: "),
        ("", r"not a known format of weather"),
    ],
)  # fmt: skip
def test_bad_files_are_told_with_line_and_column(tmp_path, text, expected):
    with pytest.raises(UserError, match=expected) as error:
        read_weather(write(tmp_path, "bad.epw", text), day_slots(date(2024, 6, 18)))
    assert "\n" not in str(error.value)


def _nsrdb_lines() -> list[str]:
    return nsrdb_text([(h + timedelta(minutes=30), 0.0) for h in hours_of(*around(date(2024, 6, 18)))]).splitlines()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: lines[:2], r"2 lines; expected two of header"),
        (lambda lines: [*lines[:2], lines[2].replace("GHI", "Sun"), *lines[3:]], r"line 3: no column for ghi_w_m2"),
        (lambda lines: [*lines[:2], lines[2].replace("Minute", "M"), *lines[3:]], r"line 3: no column for minute"),
        (lambda lines: [*lines[:20], *lines[21:]], r"line 21: .*expected .*\(a gap or a duplicate\?\)"),
        (lambda lines: [*lines[:3], *lines[3::2]], r"120 minutes apart; expected 30 or 60"),
        (lambda lines: [*lines[:3], *lines[3:40], "2024,6,16"], r"line 41: 3 columns"),
        (lambda lines: [lines[0], lines[1].replace("-122.2", "west"), *lines[2:]], r"line 2, longitude: 'west'"),
        (lambda lines: lines[:4], r"1 records; expected at least 2"),
    ],
)  # fmt: skip
def test_bad_nsrdb_files_are_told(tmp_path, change, expected):
    with pytest.raises(UserError, match=expected):
        read_weather(write(tmp_path, "w.csv", "\n".join(change(_nsrdb_lines()))), day_slots(date(2024, 6, 18)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda answer: answer.update(utc_offset_seconds=-25200), r"utc_offset_seconds is -25200; expected 0"),
        (lambda answer: answer.update(hourly=None), r"no 'hourly'"),
        (lambda answer: answer.update(error=True, reason="no data"), r"Open-Meteo says: no data"),
        (lambda answer: answer.update(latitude="north"), r"latitude is 'north'; expected a number"),
        (lambda answer: answer["hourly"].pop("temperature_2m"), r"no 'temperature_2m' among the hourly values"),
        (lambda answer: answer["hourly_units"].update(wind_speed_10m="Bft"), r"unit of wind_speed_10m is 'Bft'"),
        (lambda answer: answer["hourly"]["time"].__setitem__(5, "noon"), r"hour 5, time: 'noon'"),
        (lambda answer: answer["hourly"]["time"].__setitem__(5, answer["hourly"]["time"][4]), r"a gap or a duplicate"),
        (lambda answer: answer["hourly"]["temperature_2m"].pop(), r"temperature_2m is no list of 168 values"),
        (lambda answer: answer["hourly"]["temperature_2m"].__setitem__(slice(9, 13), [None] * 4), r"missing for 4 h"),
    ],
)  # fmt: skip
def test_bad_answers_of_open_meteo_are_told(tmp_path, change, expected):
    answer = open_meteo_answer(hours_of(*around(date(2024, 6, 18))))
    change(answer)
    with pytest.raises(UserError, match=expected):
        read_weather(write(tmp_path, "w.json", json.dumps(answer)), day_slots(date(2024, 6, 18)))


def test_a_missing_file_and_a_live_source_for_the_generator_are_told(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.epw: No such file"):
        read_weather(str(tmp_path / "nothing.epw"), day_slots(date(2024, 6, 18)))
    with pytest.raises(UserError, match="comes from a file"):
        typical_weather("open-meteo:37.7,-122.2", WHOLE_2024)


# -- live -----------------------------------------------------------------------------------------------------------


@contextmanager
def archive(status: int = 200, body: str | None = None) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """A server on this machine that answers as Open-Meteo's archive does; its address, and the queries it got."""
    queries: list[dict[str, list[str]]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            query = parse_qs(urlparse(self.path).query)
            queries.append(query)
            first, last = (date.fromisoformat(query[key][0]) for key in ("start_date", "end_date"))
            start = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(hours=1)
            hours = [start + timedelta(hours=hour) for hour in range(((last - first).days + 1) * 24)]
            answer = open_meteo_answer(hours)
            answer["hourly"]["wind_speed_10m"] = [3.5] * len(hours)
            answer["hourly_units"]["wind_speed_10m"] = {"ms": "m/s"}[query["wind_speed_unit"][0]]
            data = (json.dumps(answer) if body is None else body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", queries
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("day", CHANGES)
def test_live_weather_is_asked_for_in_gmt_and_covers_the_day(day):
    with archive() as (address, queries), httpx.Client(base_url=address, trust_env=False) as client:
        weather = read_weather("open-meteo:37.7,-122.2", day_slots(day), client)
    valid(weather, day_slots(day))
    assert weather.wind_m_s == pytest.approx(np.full(len(weather), 3.5))
    assert queries[0]["timezone"] == ["GMT"] and queries[0]["latitude"] == ["37.7"]
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - PST
    row = int(noon.timestamp()) // 1800 - day_slots(day).start
    assert weather.irradiance_w_m2[row : row + 2].mean() == pytest.approx(ghi_of_hour(noon), abs=0.01)


def test_a_refusal_of_the_archive_and_no_network_are_told_in_one_line():
    refusal = json.dumps({"error": True, "reason": "Parameter 'start_date' is out of allowed range"})
    for status, body, expected in ((400, refusal, "out of allowed range"), (503, "<html>", "answers 503")):
        with archive(status, body) as (address, _), httpx.Client(base_url=address, trust_env=False) as client:
            with pytest.raises(UserError, match=expected):
                read_weather("open-meteo:37.7,-122.2", day_slots(date(2024, 6, 18)), client)
            gone = address
    with (
        httpx.Client(base_url=gone, trust_env=False) as client,
        pytest.raises(UserError, match="no answer from") as error,
    ):
        read_weather("open-meteo:37.7,-122.2", day_slots(date(2024, 6, 18)), client)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "source", ["open-meteo:", "open-meteo:1", "open-meteo:a,b", "open-meteo:99,0", "open-meteo:nan,0"]
)
def test_a_live_source_names_a_place(source):
    with httpx.Client(base_url="http://127.0.0.1:9") as client, pytest.raises(UserError, match="LATITUDE,LONGITUDE"):
        read_weather(source, day_slots(date(2024, 6, 18)), client)


# -- anything at all ------------------------------------------------------------------------------------------------

SMALL = day_slots(date(2024, 6, 18))
TEXTS = {
    "epw": epw_text(hours_of(*around(date(2024, 6, 18)))),
    "nsrdb": "\n".join(_nsrdb_lines()) + "\n",
    "open-meteo": json.dumps(open_meteo_answer(hours_of(*around(date(2024, 6, 18))))),
}


def _weather_or_refusal(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    for read in (read_weather, typical_weather):
        try:
            weather = read(str(path), SMALL)
        except UserError as error:
            assert str(path) in str(error)
        else:
            valid(weather, SMALL)


@given(st.binary(max_size=400), st.sampled_from([b"", b"LOCATION,", b"{", b"latitude,longitude,time zone\n"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_weather_or_a_refusal(tmp_path, data, head):
    _weather_or_refusal(tmp_path / "any", head + data)


@given(
    st.sampled_from(sorted(TEXTS)),
    st.lists(
        st.tuples(st.floats(0, 1), st.text(max_size=6) | st.sampled_from([",", "\n", "1e9", "-", "null", '"'])),
        min_size=1, max_size=4,
    ),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spoilt_files_give_weather_or_a_refusal(tmp_path, kind, edits, replaces):
    text = TEXTS[kind]
    for place, piece in edits:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + (len(piece) if replaces else 0) :]
    _weather_or_refusal(tmp_path / "spoilt", text.encode("utf-8", errors="surrogatepass"))


def test_every_format_is_recognised():
    assert list(WEATHER_FORMATS) == ["epw", "nsrdb", "open-meteo"]
    for kind, text in TEXTS.items():
        assert [entry.name for entry in WEATHER_FORMATS.values() if entry.detect("any", text[:2000])] == [kind]


# -- measured weather -----------------------------------------------------------------------------------------------


@pytest.mark.real
def test_a_measured_year_of_hayward(real_data):
    """The data set's weather.csv holds the same hours as the EPW file beside it."""
    folder = real_data("alameda")
    source = str(folder / "weather.epw")
    table = pd.read_csv(folder / "weather.csv")
    records = epw.read(source, Path(source).read_text(errors="replace"))
    for ours, theirs in (
        ("temperature_c", "outdoor_dry_bulb_temperature"),
        ("humidity_pct", "outdoor_relative_humidity"),
        ("dhi_w_m2", "diffuse_solar_irradiance"),
        ("dni_w_m2", "direct_solar_irradiance"),
    ):
        told = table[theirs].to_numpy()
        same = (told > 0) | (ours in ("temperature_c", "humidity_pct"))  # there it is dark when the sun is down
        np.testing.assert_allclose(records.columns[ours][same], told[same], atol=1e-3)
    slots = range(day_slots(date(2018, 1, 1)).start, day_slots(date(2018, 12, 31)).stop)
    weather = read_weather(source, slots)
    valid(weather, slots)
    ghi, clear = (column.reshape(365, 48) for column in (weather.irradiance_w_m2, weather.sky.clear_ghi_w_m2))
    fine = np.argsort(ghi.sum(axis=1) / clear.sum(axis=1))[-60:]
    middle_h = [(rows[fine] * np.arange(48) / 2).sum() / rows[fine].sum() for rows in (ghi, clear)]
    # Its hours are means of instants at :00 and :30, so they lie a quarter of an hour late; not a whole hour.
    assert 0.0 < middle_h[0] - middle_h[1] < 0.4
    valid(typical_weather(source, WHOLE_2024), WHOLE_2024)


def test_the_archive_is_the_public_one():
    with open_meteo.archive_client() as client:
        assert client.base_url.host == "archive-api.open-meteo.com"
