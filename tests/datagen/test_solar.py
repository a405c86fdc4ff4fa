from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from common.clock import day_slots, local_calendar
from datagen.climate import climate_of
from datagen.soiling import DAMP_DAYS, clean_share, dusty_days
from datagen.solar import SolarSystem, draw_system, local_irradiance, solar_energy_wh
from datagen.streams import Purpose, home_stream
from datagen.weather import make_weather

YEAR = range(day_slots(date(2024, 1, 1)).start, day_slots(date(2025, 1, 1)).start)
SOUTH = SolarSystem(5.0, 4.5, 20.0, 180.0, 0.10, -0.0035)


@pytest.fixture(scope="module")
def sacramento():
    return make_weather(0, YEAR, climate_of("12"))


def _systems(count=200):
    load_kwh = np.random.default_rng(1).lognormal(np.log(8500), 0.35, count)
    return [draw_system(home_stream(0, index, Purpose.SOLAR), load) for index, load in enumerate(load_kwh)]


def test_sizes_are_those_of_californian_roofs():
    sizes = np.array([system.dc_kw for system in _systems()])
    assert sizes.min() >= 2.5 and sizes.max() <= 12.0
    assert 5.5 < np.median(sizes) < 7.5
    assert np.percentile(sizes, 90) - np.percentile(sizes, 10) > 3


def test_a_homes_place_is_its_own():
    one, again = (draw_system(home_stream(0, 7, Purpose.SOLAR), 8000) for _ in range(2))
    assert one == again
    places = {(system.east_km, system.north_km) for system in _systems(50)}
    assert len(places) == 50
    assert all(abs(east) <= 8 and abs(north) <= 8 for east, north in places)


@pytest.mark.parametrize("zone", ["1", "3", "7", "12", "15"])
def test_yields_are_plausible(zone):
    weather = make_weather(0, YEAR, climate_of(zone))
    per_kw = solar_energy_wh(SOUTH, weather).sum() / 1000 / SOUTH.dc_kw
    low, high = {"1": (1150, 1450), "3": (1450, 1750), "15": (1600, 1950)}.get(zone, (1450, 1850))
    assert low < per_kw < high


def test_the_inverter_clips_and_nights_are_dark(sacramento):
    small = replace(SOUTH, ac_kw=3.0)
    energy = solar_energy_wh(small, sacramento)
    assert energy.max() == pytest.approx(1500, rel=1e-3)
    assert not energy[sacramento.sky.zenith_deg > 93].any()
    assert energy.shape == (len(YEAR),) and (energy >= 0).all()


def test_tilt_and_azimuth_matter(sacramento):
    half_hour = local_calendar(np.arange(YEAR.start, YEAR.stop)).half_hour
    east, west = (solar_energy_wh(replace(SOUTH, azimuth_deg=azimuth), sacramento) for azimuth in (90.0, 270.0))
    centre_east, centre_west = ((half_hour * energy).sum() / energy.sum() for energy in (east, west))
    assert centre_west - centre_east > 1
    january = slice(0, 31 * 48)
    steep, flat = (solar_energy_wh(replace(SOUTH, tilt_deg=tilt), sacramento)[january].sum() for tilt in (45.0, 5.0))
    assert steep > 1.1 * flat


def test_dust_builds_up_and_rain_washes_it_off():
    clear = np.ones(48 * 100)
    rain = np.zeros(48 * 100)
    rain[48 * 40 + 20 : 48 * 40 + 30] = 1.0  # 10 mm on a day
    dusty = dusty_days(16, clear, clear, rain).reshape(100, 48)
    assert (dusty == dusty[:, :1]).all()
    by_day = dusty[:, 0]
    assert (np.diff(by_day[:40]) == 1).all()
    assert (by_day[40 : 40 + DAMP_DAYS] == 0).all()
    assert by_day[99] == pytest.approx(99 - 40 - DAMP_DAYS + 1, abs=1)
    drizzle = dusty_days(16, clear, clear, np.where(rain > 0, 0.1, 0.0)).reshape(100, 48)[:, 0]
    assert (np.diff(drizzle) == 1).all()


def test_grey_days_wash_where_rain_is_not_known():
    clear = np.ones(48 * 60)
    ghi = clear.copy()
    ghi[48 * 30 : 48 * 31] = 0.2
    by_day = dusty_days(16, ghi, clear, None).reshape(60, 48)[:, 0]
    assert by_day[29] > 25 and by_day[30] == 0


def test_dust_never_takes_all():
    assert clean_share(np.array([0.0, 10.0, 1e6]), 0.001).tolist() == pytest.approx([1.0, 0.99, 0.88])


def test_dust_costs_most_at_the_end_of_the_dry_season(sacramento):
    month = local_calendar(np.arange(YEAR.start, YEAR.stop)).month
    clean, dusty = (solar_energy_wh(replace(SOUTH, soiling_per_day=rate), sacramento) for rate in (0.0, 0.001))
    loss = {m: 1 - dusty[month == m].sum() / clean[month == m].sum() for m in (2, 9)}
    assert 0.04 < loss[9] < 0.13
    assert loss[2] < 0.02


def test_neighbours_see_nearly_the_same_sun(sacramento):
    def residual(east_km):
        system = replace(SOUTH, east_km=east_km)
        rows = sacramento.daylight
        high = sacramento.sky.zenith_deg[rows] < 70
        ghi = local_irradiance(system, sacramento)[0]
        return (ghi / sacramento.sky.clear_ghi_w_m2[rows] - sacramento.clear_index[rows])[high]

    here, near, far = residual(0.0), residual(0.5), residual(8.0)
    assert np.corrcoef(here, near)[0, 1] > np.corrcoef(here, far)[0, 1] + 0.2
    energy = [solar_energy_wh(replace(SOUTH, east_km=east), sacramento) for east in (0.0, 1.0)]
    assert np.corrcoef(*energy)[0, 1] > 0.97
    assert not np.array_equal(*energy)
    assert energy[0].sum() == pytest.approx(energy[1].sum(), rel=0.02)


def test_without_waves_all_places_are_alike(sacramento):
    alike = replace(sacramento, waves=None)
    one, other = (solar_energy_wh(replace(SOUTH, east_km=east), alike) for east in (0.0, 5.0))
    np.testing.assert_array_equal(one, other)
