import subprocess
import sys

import numpy as np
import pytest
from home_cases import FIRST_SLOT, changed_from, changed_issues, make_forecast, make_readings, see

from client.features import DAY
from client.forecaster import Correction, HomeForecaster, perfect_forecast
from client.ridge import statistics
from common.ridge import solve

GATE = FIRST_SLOT + 60 * DAY + 9


@pytest.fixture(scope="module")
def weights():
    forecaster = HomeForecaster("base")
    history = see(make_readings(), GATE)
    return solve(statistics(forecaster.features(history), GATE))


def _same(first, second):
    for name in ("load_wh", "pv_wh", "net_scenarios_wh"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


@pytest.mark.parametrize("kind", ["base", "profile", "hybrid"])
@pytest.mark.parametrize("resolution_slots", [1, 2])
def test_no_forecast_depends_on_what_comes_after_the_gate(weights, kind, resolution_slots):
    readings = make_readings()
    issued = make_forecast(readings)
    known_end = GATE // resolution_slots * resolution_slots
    other, other_issued = changed_from(readings, known_end), changed_issues(issued, known_end)
    first = HomeForecaster(kind, weights).forecast(see(readings, GATE, issued, resolution_slots), GATE)
    second = HomeForecaster(kind, weights).forecast(see(other, GATE, other_issued, resolution_slots), GATE)
    _same(first, second)
    assert first.first_slot == GATE
    assert first.load_wh.shape == first.pv_wh.shape == (108,)
    assert first.net_scenarios_wh.shape == (5, 108)
    assert (first.load_wh >= 0).all()
    assert (first.pv_wh >= 0).all()


def test_a_warm_forecaster_says_the_same_as_a_new_one(weights):
    readings = make_readings()
    warm = HomeForecaster("base", weights)
    for gate in range(GATE - 60, GATE + 1):
        last = warm.forecast(see(readings, gate), gate)
    _same(last, HomeForecaster("base", weights).forecast(see(readings, GATE), GATE))


def test_a_warm_forecaster_says_the_same_whenever_the_communitys_mean_came():
    readings = make_readings()
    mean = np.random.default_rng(3).normal(size=len(readings)).astype(np.float32)
    weights = solve(statistics(HomeForecaster("base").features(see(readings, GATE, community=mean)), GATE))
    new = HomeForecaster("base", weights).forecast(see(readings, GATE, community=mean), GATE)
    for known in (0, GATE - FIRST_SLOT - 9, GATE - FIRST_SLOT - 60):  # rows that had come when it was asked before
        warm = HomeForecaster("base", weights)
        before = np.where(np.arange(len(mean)) < known, mean, np.float32(0))
        said = warm.forecast(see(readings, GATE, community=before), GATE)
        assert not np.array_equal(said.net_scenarios_wh, new.net_scenarios_wh), "the mean must tell"
        warm.forget_since(FIRST_SLOT + known)
        _same(warm.forecast(see(readings, GATE, community=mean), GATE), new)


def test_an_hourly_home_in_the_middle_of_an_hour_forecasts_from_the_hour(weights):
    readings = make_readings()
    odd = GATE // 2 * 2 + 1
    forecaster = HomeForecaster("base", weights)
    middle = forecaster.forecast(see(readings, odd, resolution_slots=2), odd)
    start = forecaster.forecast(see(readings, odd - 1, resolution_slots=2), odd - 1)
    np.testing.assert_array_equal(middle.load_wh[:-1], start.load_wh[1:])
    np.testing.assert_array_equal(middle.net_scenarios_wh[:, :-1], start.net_scenarios_wh[:, 1:])


def test_scenarios_are_the_forecast_plus_what_the_last_days_surprised_with(weights):
    readings = make_readings(solar=False)
    forecaster = HomeForecaster("base", weights)
    forecast = forecaster.forecast(see(readings, GATE), GATE, scenarios=3)
    row = GATE - FIRST_SLOT
    for scenario in range(3):
        ago = DAY * (scenario + 1)
        then = HomeForecaster("base", weights).forecast(see(readings, GATE - ago), GATE - ago)
        error = readings.load_wh[row - ago : row - ago + 48] - then.load_wh[:48]
        expected = np.maximum(forecast.load_wh[:48] + error, 0)
        np.testing.assert_allclose(forecast.net_scenarios_wh[scenario, :48], expected, rtol=1e-5, atol=1e-3)


def test_the_correction_is_added_by_absolute_slot(weights):
    readings = make_readings()
    correction = Correction(GATE - 4, np.arange(120, dtype=np.float32), np.zeros(120, np.float32))
    history = see(readings, GATE)
    base = HomeForecaster("base", weights).forecast(history, GATE, horizon=120)
    hybrid = HomeForecaster("hybrid", weights, correction).forecast(history, GATE, horizon=120)
    added = np.concatenate([np.arange(4, 120), np.zeros(4)])
    np.testing.assert_allclose(hybrid.load_wh - base.load_wh, added, atol=1e-3)
    again = Correction.from_arrays(correction.to_arrays())
    assert again.first_slot == correction.first_slot
    np.testing.assert_array_equal(again.load_wh, correction.load_wh)


def test_dead_meter_and_short_history(weights):
    readings = make_readings()
    readings.load_wh[:] = 0
    forecast = HomeForecaster("base", weights).forecast(see(readings, GATE), GATE)
    assert np.isfinite(forecast.net_scenarios_wh).all()
    with pytest.raises(ValueError, match="28 days"):
        HomeForecaster("base", weights).forecast(see(readings, FIRST_SLOT + 48), FIRST_SLOT + 48)


def test_perfect_foresight_is_the_truth_and_no_home_has_it():
    readings = make_readings()
    forecast = perfect_forecast(readings, GATE, horizon=10, scenarios=2)
    row = GATE - FIRST_SLOT
    np.testing.assert_array_equal(forecast.load_wh, readings.load_wh[row : row + 10])
    np.testing.assert_array_equal(forecast.net_scenarios_wh[1], forecast.load_wh - forecast.pv_wh)
    assert perfect_forecast(readings, readings.end_slot - 2, horizon=100).load_wh.shape == (100,)
    with pytest.raises(ValueError, match="foresight"):
        HomeForecaster("perfect")


def test_forecasting_needs_no_torch():
    code = "import client.forecaster, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
