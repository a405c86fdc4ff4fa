import numpy as np
import pytest
from home_cases import FIRST_SLOT, changed_from, changed_issues, make_forecast, make_readings, see

from client.features import DAY, TRAILING, HomeFeatures
from client.ridge import (
    LOAD_FEATURES,
    PV_FEATURES,
    load_base,
    load_design,
    profile_base,
    pv_base,
    pv_design,
    statistics,
)
from common.ridge import GATED_HEADS, HEADS, SHRINKAGE, RidgeWeights, add, personal, solve, solve_gates, supported_share

GATE = FIRST_SLOT + 60 * DAY


def _features(seed=0, gate=GATE, **kwargs):
    return HomeFeatures(see(make_readings(seed, **kwargs), gate))


def test_the_federated_sum_is_the_centralised_fit():
    homes = [_features(seed) for seed in range(3)]
    weights = solve(add(statistics(home, GATE) for home in homes))
    rows = np.arange(TRAILING, 59 * DAY + 1, 2)
    x = np.concatenate([load_design(home, rows) for home in homes]).astype(np.float64)
    residuals = []
    for home in homes:
        actual = home.load[rows[:, None] + np.arange(DAY)]
        residuals.append((actual - profile_base(home, rows, DAY)) / home.scale_wh(rows)[:, None])
    y = np.clip(np.concatenate(residuals), -10, 10)
    penalty = np.sqrt(SHRINKAGE["day"] * len(x)) * np.eye(x.shape[1])
    oracle = np.linalg.lstsq(
        np.concatenate([x, penalty]), np.concatenate([y, np.zeros((len(penalty), DAY))]), rcond=None
    )
    np.testing.assert_allclose(weights.day, oracle[0], atol=1e-5)


def test_statistics_do_not_depend_on_what_comes_after():
    readings = make_readings()
    forecast = make_forecast(readings)
    other, other_forecast = changed_from(readings, GATE), changed_issues(forecast, GATE)
    late = HomeFeatures(see(other, other.end_slot, other_forecast))
    early = HomeFeatures(see(readings, GATE, forecast))
    first, second = statistics(early, GATE), statistics(late, GATE)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


def test_shapes_and_widths():
    features = _features()
    rows = np.array([TRAILING, TRAILING + 7])
    assert load_design(features, rows).shape == (2, LOAD_FEATURES)
    assert pv_design(features, rows).shape == (2, 96, PV_FEATURES)
    weights = solve(statistics(features, GATE))
    assert load_base(features, rows, 400, weights).shape == (2, 400)
    assert pv_base(features, rows, 120, weights).shape == (2, 120)


def test_one_row_or_many_give_the_same_bits():
    features = _features()
    weights = solve(statistics(features, GATE))
    rows = np.arange(TRAILING, TRAILING + 48)
    together = load_base(features, rows, 112, weights)
    for index in (0, 17, 47):
        np.testing.assert_array_equal(load_base(features, rows[index : index + 1], 112, weights)[0], together[index])


def test_solar_stays_at_zero_at_night_and_in_homes_without():
    features = _features()
    weights = solve(statistics(features, GATE))
    rows = np.arange(TRAILING, TRAILING + 48)
    dark = features.lit[rows[:, None] + np.arange(48)] == 0
    assert dark.any()
    assert not pv_base(features, rows, 48, weights)[dark].any()
    without = _features(solar=False)
    assert not pv_base(without, rows, 48, weights).any()
    assert not statistics(without, GATE)["pv_count"].any()


def test_a_dead_meter_gives_finite_numbers_and_teaches_nothing():
    readings = make_readings()
    readings.load_wh[: 50 * DAY] = 0
    features = HomeFeatures(see(readings, GATE))
    total = statistics(features, GATE)
    assert all(np.isfinite(values).all() for values in total.values())
    weights = solve(total)
    assert all(np.abs(values).max() < 10 for values in weights.to_arrays().values())
    base = load_base(features, np.arange(TRAILING, 60 * DAY + 1, 60), 112, weights)
    assert np.isfinite(base).all()
    assert base.max() < 50_000
    readings.load_wh[:] = 0
    assert not statistics(HomeFeatures(see(readings, GATE)), GATE)["day_count"].any()


def test_weights_without_any_sample_are_zero():
    short = HomeFeatures(see(make_readings(), FIRST_SLOT + 20 * DAY))
    weights = solve(statistics(short, FIRST_SLOT + 20 * DAY))
    assert not any(values.any() for values in weights.to_arrays().values())


def test_weights_survive_the_wire():
    weights = solve(statistics(_features(), GATE))
    again = RidgeWeights.from_arrays(weights.to_arrays())
    assert set(weights.to_arrays()) == set(HEADS)
    for head in HEADS:
        np.testing.assert_array_equal(getattr(again, head), getattr(weights, head))


def test_personal_weights_lie_between_the_common_and_the_homes_own():
    homes = [_features(seed) for seed in range(3)]
    sums = [statistics(home, GATE) for home in homes]
    common, own = solve(add(sums)), personal(solve(add(sums)), sums[0])
    np.testing.assert_array_equal(own.week, common.week)
    rows = np.arange(TRAILING, 59 * DAY + 1, 2)
    actual = homes[0].load[rows[:, None] + np.arange(DAY)]
    errors = [np.square(load_base(homes[0], rows, DAY, w) - actual).mean() for w in (solve(sums[0]), own, common)]
    assert errors[0] < errors[1] < errors[2]
    nothing = {name: np.zeros_like(values) for name, values in sums[0].items()}
    np.testing.assert_allclose(personal(common, nothing).day, common.day, atol=1e-7)


def test_gates_are_least_squares_shares_between_0_and_1():
    sums = {
        "day": np.array([1.0, 4.0]),
        "week": np.array([9.0, 3.0]),
        "month": np.array([-1.0, 2.0]),
        "pv": np.zeros(2),
    }
    assert solve_gates([sums]) == solve_gates([sums, sums]) == {"day": 0.25, "week": 1.0, "month": 0.0, "pv": 0.0}


def test_a_gate_stays_shut_where_the_homes_disagree():
    better, worse = np.array([3.0, 4.0]), np.array([-2.5, 4.0])
    homes = [dict.fromkeys(GATED_HEADS, gain) for gain in (better, better, worse)]
    assert set(solve_gates(homes).values()) == {0.0}
    product, square = np.array([better, better, worse]).T
    assert supported_share(product, square, evidence=0) == 3.5 / 12
    assert solve_gates([]) == dict.fromkeys(GATED_HEADS, 0.0)


def test_solar_follows_a_forecast_that_comes_true_and_ignores_one_that_does_not():
    readings = make_readings()
    good, bad = make_forecast(readings), make_forecast(readings)
    bad.values[:, :, 2] *= np.random.default_rng(1).uniform(0, 2, (len(bad.values), 1))
    rows = np.arange(60 * DAY, 74 * DAY, 6)
    errors, trust = {}, {}
    for name, forecast in (("good", good), ("bad", bad)):
        features = HomeFeatures(see(readings, readings.end_slot, forecast))
        weights = solve(statistics(features, GATE))
        actual = features.pv[rows[:, None] + np.arange(DAY)]
        errors[name] = np.abs(pv_base(features, rows, DAY, weights) - actual).mean()
        errors["profile"] = np.abs(features.pv_profile[rows[:, None] + np.arange(DAY)] - actual).mean()
        trust[name] = features.light_trust(rows).mean()
    assert errors["good"] < 0.5 * errors["profile"]
    assert errors["bad"] < 1.1 * errors["profile"]
    assert trust["bad"] < 0.5 < trust["good"]


@pytest.mark.parametrize("resolution_slots", [1, 2])
def test_base_beats_naive_on_a_habitual_home(resolution_slots):
    readings = make_readings()
    features = HomeFeatures(see(readings, readings.end_slot, resolution_slots=resolution_slots))
    weights = solve(statistics(features, GATE))
    rows = np.arange(60 * DAY, 74 * DAY, 6)
    actual = features.load[rows[:, None] + np.arange(DAY)]
    error = np.abs(load_base(features, rows, DAY, weights) - actual).mean()
    assert error < np.abs(features.load[rows[:, None] - DAY + np.arange(DAY)] - actual).mean()
