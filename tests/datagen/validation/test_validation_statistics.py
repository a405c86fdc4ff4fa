from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from homes_for_validation import axis_of, noisy_homes, population

from common.readings import HomeFacts, Readings
from datagen.validation import statistics
from datagen.validation.comparison import compare, profiles
from datagen.validation.population import stack, whole_days


@pytest.fixture
def homes():
    """Three homes with gaps."""
    made = noisy_homes(axis_of(), 3, seed=1)
    load = made.load_kwh.copy()
    load[np.random.default_rng(2).random(load.shape) < 0.1] = np.nan
    return replace(made, load_kwh=load)


@pytest.mark.parametrize("lag", [1, 24, 168])
def test_autocorrelation_against_a_slow_loop(homes, lag):
    found = statistics.autocorrelation(homes, lag)
    for row, load in enumerate(homes.load_kwh):
        known = [value for value in load if not np.isnan(value)]
        mean = sum(known) / len(known)
        variance = sum((value - mean) ** 2 for value in known) / len(known)
        products = [
            (load[k] - mean) * (load[k + lag] - mean)
            for k in range(len(load) - lag)
            if not np.isnan(load[k]) and not np.isnan(load[k + lag])
        ]
        assert found[row] == pytest.approx(sum(products) / len(products) / variance)


def test_a_daily_rhythm_comes_back_after_a_day_and_a_week():
    axis = axis_of()
    course = population(1 + np.sin(2 * np.pi * np.arange(len(axis)) / 24), axis)
    for lag, expected in ((12, -1.0), (24, 1.0), (168, 1.0)):
        assert statistics.autocorrelation(course, lag)[0] == pytest.approx(expected, abs=0.01)


def test_energy_peak_and_load_factor_of_a_known_home():
    axis = axis_of(days=10)
    load = np.full(len(axis), 0.5)
    load[5] = 4.0
    home = population(load, axis)
    mean = (0.5 * (len(axis) - 1) + 4.0) / len(axis)
    assert statistics.yearly_kwh(home)[0] == pytest.approx(mean * 8760)
    assert statistics.peak_kw(home)[0] == 4.0
    assert statistics.load_factor(home)[0] == pytest.approx(mean / 4.0)
    assert statistics.base_load_kw(home)[0] == 0.5
    half_hourly = population(np.full((1, 480), 0.25), axis_of(days=10, step_slots=1))
    assert statistics.yearly_kwh(half_hourly)[0] == pytest.approx(0.5 * 8760)
    assert statistics.peak_kw(half_hourly)[0] == 0.5


def test_identical_homes_have_no_diversity_and_opposite_ones_have():
    axis = axis_of(days=4)
    wave = 1 + 0.5 * np.sign(np.sin(2 * np.pi * (np.arange(len(axis)) + 0.5) / 24))
    same = population(np.stack([wave] * 4), axis)
    np.testing.assert_allclose(statistics.coincidence(same, range(1, 5), seed=0, draws=5), 1.0)
    opposite = population(np.stack([wave, 2 - wave]), axis)
    found = statistics.coincidence(opposite, range(1, 3), seed=0, draws=3)
    np.testing.assert_allclose(found, [[1.0] * 3, [2 / 3] * 3])


def test_gaps_count_for_nothing(homes):
    """A gap is as if the step had never been: no statistic of a level moves when its neighbours say the same."""
    axis = homes.axis
    flat = np.where(axis.hour < 12, 1.0, 3.0)
    gapped = flat.copy()
    gapped[24 * 7 : 24 * 9] = np.nan
    for of in (statistics.yearly_kwh, statistics.load_factor, statistics.daily_peak, statistics.day_to_day):
        assert of(population(gapped, axis))[0] == pytest.approx(of(population(flat, axis))[0])
    assert statistics.ramp_std(population(gapped, axis))[0] > 0
    assert (
        len(population(gapped, axis).days_kwh[0][np.isfinite(population(gapped, axis).days_kwh[0]).all(axis=1)]) == 58
    )


def test_profiles_by_hour_and_month_average_to_one():
    home = noisy_homes(axis_of(days=61), 2, seed=3)
    months = statistics.month_profile(home)
    assert np.isfinite(months[0]).sum() == 2 and np.isnan(months[0][0])
    workday = statistics.hour_profile(home, True)
    weekend = statistics.hour_profile(home, False)
    share = home.axis.workday.mean()
    np.testing.assert_allclose((workday * share + weekend * (1 - share)).mean(axis=1), 1.0)


def test_solar_yield_only_where_there_is_solar():
    axis = axis_of(days=30)
    pv = np.where((axis.hour >= 9) & (axis.hour < 15), 3.0, 0.0)
    with_solar = population(np.ones(len(axis)), axis, pv_kwh=pv, pv_kw=4.0)
    assert statistics.solar_yield(with_solar)[0] == pytest.approx(6 * 3.0 * 365 / 4.0)
    assert statistics.solar_profile(with_solar)[0, 5] == pytest.approx(4.5)
    without = population(np.ones(len(axis)), axis)
    assert np.isnan(statistics.solar_yield(without)).all()
    assert not any("solar" in row.name for row in compare(with_solar, without))
    assert not any("solar" in profile.name for profile in profiles(without, with_solar))


def test_the_verdict_is_whether_the_generated_median_lies_among_the_real_homes():
    axis = axis_of()
    real = noisy_homes(axis, 12, seed=0)
    alike = {row.name: row for row in compare(real, noisy_homes(axis, 9, seed=5, name="generated"))}
    assert alike["energy a year"].inside and alike["load factor"].real_min <= alike["load factor"].generated_median
    late = compare(real, noisy_homes(axis, 9, seed=5, name="generated", evening=4.0))
    verdict = {row.name: row.inside for row in late}
    assert not verdict["evening (16-21 h) / mean"] and not verdict["late evening (21-24 h) / mean"]


def test_zeros_and_gaps_of_the_meter_are_not_metered():
    axis = axis_of(days=30)
    wh = np.full(48 * 30, 100, np.int64)
    wh[10:12] = 0  # a whole hour
    wh[20] = 0  # half of one
    metered = np.ones(len(wh), np.bool_)
    metered[31] = False
    readings = Readings(axis.slots.start, wh, np.zeros_like(wh), metered=metered)
    load = stack("real", [(HomeFacts(home_id="a"), readings)], axis).load_kwh[0]
    assert np.flatnonzero(np.isnan(load)).tolist() == [5, 15] and load[10] == 0.1 and load[0] == 0.2
    assert whole_days([readings]) == axis.slots


def test_days_of_a_clock_change_are_no_day_profiles():
    axis = axis_of(days=10, first=date(2017, 11, 1))  # 5 November has 25 hours
    assert axis.ordinary_days.shape == (9, 24)
    assert (axis.hour[axis.ordinary_days] == np.arange(24)).all()
