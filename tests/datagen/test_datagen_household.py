from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from common.clock import day_slots, local_calendar
from common.readings import CHANNELS, validate_readings
from datagen.appliances.hvac import draw_house, thermostat
from datagen.appliances.queue import served_wh
from datagen.household import generate_home, has_solar
from datagen.solar import SolarSystem, solar_energy_wh
from datagen.span import span_of
from datagen.stock import CALIFORNIA

EV, HVAC = CHANNELS.index("ev_wh"), CHANNELS.index("hvac_wh")


def test_a_home_does_not_depend_on_the_others(homes, weather, year):
    facts, readings = generate_home(7, 0, year, weather, solar=True)
    assert facts == homes[7][0]
    np.testing.assert_array_equal(readings.load_wh, homes[7][1].load_wh)
    np.testing.assert_array_equal(readings.pv_wh, homes[7][1].pv_wh)
    np.testing.assert_array_equal(readings.channels, homes[7][1].channels)


def test_solar_changes_nothing_but_solar(homes, weather, year):
    facts, readings = generate_home(7, 0, year, weather, solar=False)
    assert facts.pv_kw == 0 and not readings.pv_wh.any()
    np.testing.assert_array_equal(readings.channels, homes[7][1].channels)


def test_homes_and_seeds_differ(homes, weather, year):
    loads = {readings.load_wh.tobytes() for _, readings in homes}
    assert len(loads) == len(homes)
    assert generate_home(7, 1, year, weather, True)[1].load_wh.tobytes() not in loads


def test_channels_add_up_to_the_load(homes):
    for facts, readings in homes:
        validate_readings(readings, facts.home_id)
        np.testing.assert_array_equal(readings.channels.sum(axis=0), readings.load_wh)
        assert facts.resolution_slots == 1
        assert readings.weather.dtype == np.float32


def test_yearly_energy_is_plausible(homes):
    kwh = np.array([readings.load_wh.sum() for _, readings in homes]) / 1000
    without_ev = kwh - np.array([readings.channels[EV].sum() for _, readings in homes]) / 1000
    assert kwh.min() > 3000 and kwh.max() < 22000
    assert ((kwh > 4500) & (kwh < 16000)).mean() > 0.85
    assert 20 < without_ev.mean() / 365 < 28
    peaks_kw = np.array([readings.load_wh.max() for _, readings in homes]) / 500
    assert peaks_kw.min() > 2.5 and peaks_kw.max() < 25


def test_every_home_has_a_fridge_and_some_have_an_ev(homes):
    yearly = np.array([readings.channels.sum(axis=1) for _, readings in homes]) / 1000
    assert ((yearly[:, 0] > 250) & (yearly[:, 0] < 1600)).all()
    has_ev = yearly[:, EV] > 0
    assert 0.2 < has_ev.mean() < 0.6
    assert 1200 < yearly[has_ev, EV].mean() < 3500


def test_cooling_follows_the_heat_and_heating_the_cold(homes, weather):
    hvac = np.mean([readings.channels[HVAC] for _, readings in homes], axis=0)
    days = len(hvac) // 48 * 48
    by_day = hvac[:days].reshape(-1, 48).sum(axis=1)
    warmth = weather.temperature_c[:days].reshape(-1, 48).mean(axis=1)
    hot, mild, cold = warmth > 24, (warmth > 14) & (warmth < 19), warmth < 8
    assert np.corrcoef(by_day[warmth > 19], warmth[warmth > 19])[0, 1] > 0.8
    assert by_day[hot].mean() > 4 * by_day[mild].mean()
    assert by_day[cold].mean() > 2 * by_day[mild].mean()


def test_load_has_an_evening_peak(homes, year):
    mean = np.mean([readings.load_wh for _, readings in homes], axis=0)
    half_hour = local_calendar(np.arange(year.start, year.stop)).half_hour
    course = np.array([mean[half_hour == k].mean() for k in range(48)])
    assert 32 <= course.argmax() <= 43
    assert course.min() > 100


def test_cars_charge_no_faster_than_their_charger(homes, year):
    with_ev = [readings.channels[EV] for _, readings in homes if readings.channels[EV].any()]
    assert {int(values.max()) for values in with_ev} <= {700, 1800, 3600}
    half_hour = local_calendar(np.arange(year.start, year.stop)).half_hour
    total = np.sum(with_ev, axis=0)
    assert total[(half_hour >= 16) & (half_hour < 28)].sum() < 0.1 * total.sum()  # cars are out from 8 to 14


def test_no_solar_at_night_and_a_usual_yield(homes, weather):
    night = weather.sky.zenith_deg > 93
    for facts, readings in homes:
        assert not readings.pv_wh[night].any()
        assert 2.5 <= facts.pv_kw <= 12
        assert 1200 < readings.pv_wh.sum() / 1000 / facts.pv_kw < 2000
        assert readings.pv_wh.max() / 500 < facts.pv_kw


def test_solar_faces_matter_and_the_inverter_clips(weather):
    south = SolarSystem(5, 4, 20, 180, 0.1, -0.0035)
    energy = solar_energy_wh(south, weather)
    assert energy.max() == pytest.approx(2000, rel=1e-3)
    east, west = (solar_energy_wh(replace(south, azimuth_deg=a), weather) for a in (90, 270))
    assert energy.sum() > max(east.sum(), west.sum())
    centre = [(np.arange(len(e)) % 48 * e).sum() / e.sum() for e in (np.roll(east, -16), np.roll(west, -16))]
    assert centre[1] - centre[0] > 1  # half-hours


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 1.0])
def test_solar_is_spread_evenly_whatever_the_number_of_homes(share):
    chosen = [has_solar(index, share) for index in range(1000)]
    for count in (10, 100, 1000):
        assert sum(chosen[:count]) == round(share * count)


@pytest.mark.parametrize(("day", "slots"), [(date(2024, 11, 3), 50), (date(2025, 3, 9), 46), (date(2025, 3, 10), 48)])
def test_daylight_saving_days_keep_local_hours(year, day, slots):
    span = span_of(year)
    rows = np.arange(day_slots(day).start, day_slots(day).stop) - year.start
    assert len(rows) == slots
    assert len(set(span.day[rows])) == 1
    assert span.day_row[span.day[rows[0]]] == rows[0]
    assert span.hour[rows[-1]] == 23.5
    assert len(span) == 365 * 48 and span.days == 365


def test_a_limited_heater_matches_the_obvious_queue():
    demand = np.random.default_rng(5).gamma(0.3, 800.0, 500)
    waiting, served = 0.0, []
    for wh in demand:
        waiting += wh
        served.append(min(waiting, 400.0))
        waiting -= served[-1]
    np.testing.assert_allclose(served_wh(demand, 400.0), served, atol=1e-6)


@pytest.mark.parametrize("steady", [True, False])
def test_thermostat_keeps_the_house_within_its_set_points(steady):
    house = replace(
        draw_house(np.random.default_rng(1), 3, CALIFORNIA), cooling_kw=20.0, heating_kw=20.0, steady=steady
    )
    n = 2000
    outside = 20 + 18 * np.sin(np.arange(n) / 150)
    gains, cool, heat, full = np.full(n, 0.5), np.full(n, 25.0), np.full(n, 20.0), np.full(n, 20.0)
    cool_kw, heat_kw = thermostat(house, outside, gains, np.ones(n, bool), (cool, heat), (full, full))
    assert not cool_kw[outside < 15].any() and not heat_kw[outside > 26].any()
    assert ((cool_kw >= 0) & (cool_kw <= 20.001)).all() and ((heat_kw >= 0) & (heat_kw <= 20.001)).all()
    hottest = slice(int(150 * np.pi / 2) - 24, int(150 * np.pi / 2) + 24)
    flow = house.loss_kw_per_c * (outside[hottest] - 25.0).mean() + 0.5
    assert cool_kw[hottest].mean() == pytest.approx(flow, rel=0.15)  # what flows in is carried out
