from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from importlib.resources import files

import numpy as np
import pytest

from common.clock import day_slots, local_calendar
from common.config import RunConfig
from common.errors import UserError
from common.readings import read_readings
from datagen.climate import climate_of, climate_zones
from datagen.community import prepare_homes
from datagen.generated import local_weather
from datagen.scenario import SCENARIOS
from datagen.site import sky_of
from datagen.weather import make_weather

YEAR = range(day_slots(date(2024, 1, 1)).start, day_slots(date(2025, 1, 1)).start)
MONTH = local_calendar(np.arange(YEAR.start, YEAR.stop)).month
STANDARD_HOUR = (np.arange(YEAR.start, YEAR.stop) - 16) % 48 / 2
COAST, INLAND = ("1", "3", "5", "6", "7"), ("11", "12", "13", "14", "15")


def _years(zone, seeds=6):
    return [make_weather(seed, YEAR, climate_of(zone)) for seed in range(seeds)]


def _by_month(values):
    return np.array([values[month == MONTH].mean() for month in range(1, 13)])


def test_there_are_sixteen_zones_and_an_unknown_one_is_told():
    assert climate_zones() == tuple(str(zone) for zone in range(1, 17))
    assert climate_of("10").site.name == "Riverside"
    for bad in ("0", "17", "Sacramento", "", "/no/such/file.epw"):
        with pytest.raises(UserError, match=r"zones: 1 Arcata, 2 Santa Rosa.*16 Blue Canyon"):
            climate_of(bad)


@pytest.mark.parametrize("zone", climate_zones())
def test_the_climate_file_is_sound(zone):
    climate = climate_of(zone)
    low, high, dew = np.array(climate.low_c), np.array(climate.high_c), np.array(climate.dew_point_c)
    assert (low < high).all() and (dew < (low + high) / 2).all()
    assert 32 < climate.site.latitude_deg < 42 and -125 < climate.site.longitude_deg < -114
    assert all(0 <= share < 0.9 for share in climate.marine_layer)
    assert all(0.5 < index < 1.1 for index in climate.clear_sky_index)
    assert climate.source.startswith("https://")


@pytest.mark.parametrize("zone", ["3", "13"])
def test_the_clear_sky_index_follows_from_the_irradiation(zone):
    entry = json.loads(files("datagen.climates").joinpath("california.json").read_text())["zones"][zone]
    clear = sky_of(YEAR, climate_of(zone).site).clear_ghi_w_m2
    by_day = _by_month(clear) * 24  # mean W/m2 to Wh/m2 a day
    np.testing.assert_allclose(np.array(entry["global_wh_m2_day"]) / by_day, entry["clear_sky_index"], atol=0.01)


@pytest.mark.parametrize("zone", ["1", "3", "7", "10", "12", "15", "16"])
def test_monthly_means_are_those_of_the_climate(zone):
    climate, years = climate_of(zone), _years(zone, 8)
    temperature = np.mean([_by_month(year.temperature_c) for year in years], axis=0)
    wanted_c = (np.array(climate.low_c) + climate.high_c) / 2
    np.testing.assert_allclose(temperature, wanted_c, atol=1.4)
    assert abs(temperature.mean() - wanted_c.mean()) < 0.4
    total = np.mean([_by_month(year.irradiance_w_m2) for year in years], axis=0)
    index = total / _by_month(years[0].sky.clear_ghi_w_m2)
    np.testing.assert_allclose(index, climate.clear_sky_index, atol=0.08)
    assert abs(index.mean() - np.mean(climate.clear_sky_index)) < 0.02
    wind = np.mean([_by_month(year.wind_m_s) for year in years], axis=0)
    np.testing.assert_allclose(wind, climate.wind_m_s, rtol=0.15)


@pytest.mark.parametrize("zone", ["3", "12"])
def test_the_mean_day_runs_from_the_low_to_the_high(zone):
    climate, july = climate_of(zone), MONTH == 7
    mean = np.mean([year.temperature_c for year in _years(zone)], axis=0)
    course = np.array([mean[july & (hour == STANDARD_HOUR)].mean() for hour in np.arange(48) / 2])
    assert course.min() == pytest.approx(climate.low_c[6], abs=1.0)
    assert course.max() == pytest.approx(climate.high_c[6], abs=1.0)
    assert abs(course.argmax() / 2 - climate.warmest_hour) <= 0.5


def _june_index(zone, first_hour, end_hour):
    rows = (MONTH == 6) & (first_hour <= STANDARD_HOUR) & (end_hour > STANDARD_HOUR)
    years = _years(zone)
    return np.mean([year.irradiance_w_m2[rows].sum() / year.sky.clear_ghi_w_m2[rows].sum() for year in years])


def test_coastal_june_mornings_are_grey_and_clear_up():
    for zone in ("5", "6", "7", "9"):
        assert _june_index(zone, 7, 9) < _june_index(zone, 13, 15) - 0.2
    assert abs(_june_index("13", 7, 9) - _june_index("13", 13, 15)) < 0.05


def test_some_coastal_mornings_are_clear_and_a_grey_one_clears_within_hours():
    weather = make_weather(0, YEAR, climate_of("6"))
    june = np.flatnonzero((MONTH == 6) & (STANDARD_HOUR == 0))
    morning = np.array([weather.clear_index[row + 15 : row + 17].mean() for row in june])  # 7:30 to 8:30
    assert (morning < 0.55).sum() >= 5 and (morning > 0.7).sum() >= 5


@pytest.mark.parametrize("zone", climate_zones())
def test_a_forced_heat_wave_is_hot_for_that_climate(zone):
    day, climate = date(2025, 9, 3), climate_of(zone)
    slots = range(day_slots(date(2025, 8, 25)).start, day_slots(date(2025, 9, 10)).start)
    rows = slice(day_slots(day).start - slots.start, day_slots(day).stop - slots.start)
    usual, hot = make_weather(0, slots, climate), make_weather(0, slots, climate, heat_wave=day)
    assert hot.temperature_c[rows].max() > climate.high_c[8] + 0.75 * climate.heat_waves.forced_peak_c
    assert hot.temperature_c[rows].max() > usual.temperature_c[rows].max()


@pytest.mark.parametrize("zone", ["6", "16"])
def test_a_forced_clear_day_is_clear(zone):
    day = date(2025, 5, 28)
    slots = range(day_slots(date(2025, 5, 20)).start, day_slots(date(2025, 6, 3)).start)
    rows = slice(day_slots(day).start - slots.start, day_slots(day).stop - slots.start)
    made = make_weather(0, slots, climate_of(zone), clear_day=day)
    assert made.irradiance_w_m2[rows].sum() > 0.97 * made.sky.clear_ghi_w_m2[rows].sum()


def test_heat_waves_are_rarer_and_weaker_on_the_coast():
    def hot_days(zone):
        climate = climate_of(zone)
        high = np.array(climate.high_c)[MONTH - 1]
        return np.mean([(year.temperature_c > high + 5).sum() / 48 for year in _years(zone, 10)])

    assert max(hot_days(zone) for zone in COAST) < min(hot_days(zone) for zone in ("11", "12"))


@pytest.mark.parametrize("zone", [*COAST, *INLAND])
def test_weather_is_physical_everywhere(zone):
    weather = make_weather(3, YEAR, climate_of(zone))
    assert np.isfinite(weather.channels).all()
    assert (weather.humidity_pct >= 5).all() and (weather.humidity_pct <= 100).all()
    assert (weather.irradiance_w_m2 >= 0).all() and weather.irradiance_w_m2.max() < 1250
    assert (weather.direct_normal_w_m2 >= 0).all() and (weather.diffuse_w_m2 >= 0).all()
    assert (weather.wind_m_s > 0).all()
    assert weather.site == climate_of(zone).site


def test_the_sea_breeze_peaks_in_the_afternoon():
    wind = make_weather(0, YEAR, climate_of("3")).wind_m_s[(MONTH == 7)]
    hours = STANDARD_HOUR[MONTH == 7]
    course = np.array([wind[hours == hour].mean() for hour in range(24)])
    assert 15 <= course.argmax() <= 19
    assert course.max() > 1.5 * course.min()


def _broken_clouds():
    weather = make_weather(0, YEAR, climate_of("12"))
    day = (weather.sky.zenith_deg < 75) & (weather.clear_index > 0.35) & (weather.clear_index < 0.8)
    return weather, day


def test_neighbours_clouds_correlate_less_the_further_apart_they_are():
    weather, day = _broken_clouds()
    apart = {}
    for distance_km in (0.2, 1.0, 3.0, 8.0):
        pairs = []
        for angle in np.arange(8) * np.pi / 4:
            east, north = 1.5 * np.cos(3 * angle), 1.5 * np.sin(5 * angle)  # some places of the neighbourhood
            one = weather.waves.deviation(east, north)[day]
            other = weather.waves.deviation(east + distance_km * np.cos(angle), north + distance_km * np.sin(angle))[
                day
            ]
            pairs.append(np.corrcoef(one, other)[0, 1])
        apart[distance_km] = np.mean(pairs)
    assert apart[0.2] > 0.8 > apart[1.0] > apart[3.0] > apart[8.0] - 0.05
    assert apart[8.0] < 0.45
    for distance_km in (1.0, 3.0):
        assert apart[distance_km] == pytest.approx(np.exp(-distance_km / 4), abs=0.25)


def test_the_half_hours_index_of_neighbours_correlates_strongly():
    weather, _ = _broken_clouds()
    day = weather.sky.zenith_deg < 75
    one, other = (weather.clear_index[day] + weather.waves.deviation(east, 0.0)[day] for east in (0.0, 1.0))
    assert np.corrcoef(one, other)[0, 1] > 0.9


def test_neighbours_do_not_differ_under_a_clear_or_an_overcast_sky():
    weather, day = _broken_clouds()
    deviation = np.abs(weather.waves.deviation(2.0, -1.0))
    plain = (weather.clear_index > 0.98) | (weather.clear_index < 0.16)
    assert deviation[plain].mean() < 0.02
    assert deviation[day].mean() > 0.05


def test_weather_is_a_function_of_seed_climate_and_slots():
    one, again = (make_weather(5, YEAR, climate_of("9")) for _ in range(2))
    np.testing.assert_array_equal(one.channels, again.channels)
    np.testing.assert_array_equal(one.waves.deviation(1, 2), again.waves.deviation(1, 2))
    assert not np.array_equal(one.channels, make_weather(6, YEAR, climate_of("9")).channels)
    assert not np.array_equal(one.channels, make_weather(5, YEAR, climate_of("8")).channels)


# -- the generator's option -----------------------------------------------------------------------------------------


def test_the_option_names_a_zone_or_a_file():
    for climate in ("1", "16", "/some/weather.epw"):
        RunConfig(climate=climate).check()
    for climate in ("0", "17", "", " "):
        with pytest.raises(UserError, match=r"give 1 to 16, or the path of a weather file"):
            RunConfig(climate=climate).check()
    roots = {RunConfig(climate=climate).homes_root() for climate in ("12", "13", "/some/weather.epw")}
    assert len(roots) == 3


@pytest.mark.parametrize("zone", climate_zones())
def test_every_scenario_works_in_every_zone(zone):
    slots = range(day_slots(date(2025, 1, 10)).start, day_slots(date(2025, 1, 20)).start)
    for chosen in SCENARIOS.values():
        weather = local_weather(zone, 0, slots, chosen, date(2025, 1, 15))
        assert np.isfinite(weather.channels).all()


def test_a_community_has_the_weather_of_its_climate(tmp_path):
    config = RunConfig(homes=1, climate="15", date="2025-07-15")
    manifest = prepare_homes(config, tmp_path / "homes")
    readings = read_readings(tmp_path / "homes" / manifest.homes[0])
    np.testing.assert_array_equal(
        readings.weather,
        make_weather(0, range(readings.first_slot, readings.end_slot), climate_of("15")).channels,
    )
    with pytest.raises(UserError, match="made from other options \\(climate\\)"):
        prepare_homes(replace(config, climate="14"), tmp_path / "homes")


@pytest.fixture
def year_of_weather(tmp_path):
    """A weather file of 2023, all hours alike but for the sun."""
    start = np.datetime64("2023-01-01T09:00")
    stamps = [
        str(start + np.timedelta64(hour, "h")) for hour in range(8760)
    ]  # the hours of standard time, by their end
    first_slot = int(start.astype("datetime64[s]").astype(np.int64)) // 1800 - 2
    clear = (
        sky_of(range(first_slot, first_slot + 2 * 8760), climate_of("3").site)
        .clear_ghi_w_m2.reshape(-1, 2)
        .mean(axis=1)
    )
    path = tmp_path / "weather.json"
    units = {
        "temperature_2m": "°C",
        "relative_humidity_2m": "%",
        "shortwave_radiation": "W/m²",
        "wind_speed_10m": "m/s",
    }
    values = {"temperature_2m": 21.5, "relative_humidity_2m": 40, "wind_speed_10m": 2.0}
    hourly = {name: [value] * 8760 for name, value in values.items()} | {"shortwave_radiation": (0.7 * clear).tolist()}
    answer = {"latitude": 37.72, "longitude": -122.22, "elevation": 2, "utc_offset_seconds": 0, "hourly_units": units}
    path.write_text(json.dumps(answer | {"hourly": {"time": stamps, **hourly}}), encoding="utf-8")
    return path


def test_a_community_has_the_weather_of_a_file(tmp_path, year_of_weather):
    config = RunConfig(homes=2, climate=str(year_of_weather), solar_share=1.0)
    manifest = prepare_homes(config, tmp_path / "homes")
    readings = [read_readings(tmp_path / "homes" / home) for home in manifest.homes]
    assert (readings[0].weather[0] == 21.5).all()
    assert all(home.pv_wh.any() for home in readings)
    text = year_of_weather.read_text(encoding="utf-8")
    year_of_weather.write_text(text.replace("21.5", "22.5"), encoding="utf-8")
    with pytest.raises(UserError, match="made from other options \\(climate\\)"):
        prepare_homes(config, tmp_path / "homes")


@pytest.mark.parametrize("name", ["heat-wave", "high-solar"])
def test_a_scenario_that_makes_its_weather_refuses_a_file(name, year_of_weather):
    slots = day_slots(date(2025, 9, 3))
    with pytest.raises(UserError, match=rf"scenario '{name}' makes its own weather.*give a zone as climate"):
        local_weather(str(year_of_weather), 0, slots, SCENARIOS[name], date(2025, 9, 3))
