import dataclasses

import numpy as np
import pytest
from home_cases import FIRST_SLOT, TINY, changed_from, changed_issues, make_forecast, make_readings, see

from client.batches import make_batch
from client.features import DAY, HELD_OUT, MONTH, TRAILING, HomeFeatures
from client.forecaster import HomeForecaster
from client.hindcast import hindcast
from client.ridge import profile_base, statistics
from client.training import TrainTask, correct, train_round
from common.model import initial_vector, load_model
from common.ridge import GATED_HEADS, solve

GATE = FIRST_SLOT + 70 * DAY
OPEN = dict.fromkeys(GATED_HEADS, 1.0)
TASK = TrainTask(GATE, round=1, rounds=2, local_steps=3, batch_size=2, learning_rate=1e-2, seed=5, home_id="home-1")


def _train(history, task=TASK, vector=None):
    features = HomeFeatures(history)
    ridge = solve(statistics(features, GATE))
    vector = initial_vector(TINY, 0) if vector is None else vector
    return train_round(vector, TINY, history, features, ridge, task), features, ridge


def test_training_sees_nothing_of_the_gate_or_later():
    readings = make_readings()
    issued = make_forecast(readings)
    other, other_issued = changed_from(readings, GATE), changed_issues(issued, GATE)
    first, *_ = _train(see(readings, GATE, issued))
    second, *_ = _train(see(other, other.end_slot, other_issued))
    np.testing.assert_array_equal(first.vector, second.vector)
    for head in GATED_HEADS:
        np.testing.assert_array_equal(first.gate_sums[head], second.gate_sums[head])
    assert first.metrics == second.metrics


def test_held_out_days_are_not_trained_on():
    readings = make_readings()
    history = see(readings, GATE)
    changed = see(changed_from(readings, GATE - HELD_OUT), GATE)
    vector = initial_vector(TINY, 0)
    results = [train_round(vector, TINY, h, HomeFeatures(h), None, TASK) for h in (history, changed)]
    np.testing.assert_array_equal(results[0].vector, results[1].vector)
    assert results[0].metrics["base_rmse"] != results[1].metrics["base_rmse"]


def test_the_same_seed_gives_the_same_weights_and_another_home_others():
    history = see(make_readings(), GATE)
    first, *_ = _train(history)
    again, *_ = _train(history)
    other, *_ = _train(history, dataclasses.replace(TASK, home_id="home-2"))
    np.testing.assert_array_equal(first.vector, again.vector)
    assert (first.vector != other.vector).any()
    assert first.examples == 3 * 2 * 7
    assert np.isfinite(first.vector).all()


def test_targets_are_masked_at_the_split():
    history = see(make_readings(), GATE)
    features = HomeFeatures(history)
    limit = 60 * DAY
    rows = np.array([[limit - 2 * DAY, limit - DAY, limit - 10]])
    batch = make_batch(history, features, rows, limit)
    assert batch.load_known[0].sum(1).tolist() == [96, 48, 10]
    assert not batch.load[0, 2, 10:].any()
    assert 0 < batch.pv_known[0, 0].sum() < 48
    assert not batch.pv_known[0, 2, 10:].any()


def test_an_untrained_transformer_says_what_is_usual_and_shut_gates_change_nothing():
    history = see(make_readings(), GATE)
    features = HomeFeatures(history)
    ridge = solve(statistics(features, GATE))
    model, rows = load_model(TINY, initial_vector(TINY, 3)), features.rows(np.array([GATE - 5, GATE]))
    said = hindcast(model.eval(), history, features, rows)
    np.testing.assert_array_equal(said.load_wh, profile_base(features, rows, MONTH))
    spread = (
        features.usual_wh(rows[:, None] + np.arange(DAY))[:, :, None] + features.spread[rows[:, None] + np.arange(DAY)]
    )
    np.testing.assert_array_equal(said.load_quantiles_wh, np.maximum(np.sort(spread, axis=2), 0))
    correction = correct(initial_vector(TINY, 3), TINY, history, features, ridge, dict.fromkeys(OPEN, 0.0))
    base = HomeForecaster("base", ridge).forecast(history, GATE)
    hybrid = HomeForecaster("hybrid", ridge, correction).forecast(history, GATE)
    np.testing.assert_array_equal(base.load_wh, hybrid.load_wh)
    np.testing.assert_array_equal(base.pv_wh, hybrid.pv_wh)


def test_origins_one_by_one_or_together_are_forecast_nearly_alike():
    history = see(make_readings(), GATE)
    trained, features, _ = _train(history)
    model = load_model(TINY, trained.vector).eval()
    rows = np.concatenate([TRAILING + DAY * np.arange(12), TRAILING + 5 + DAY * np.array([3, 4, 9])])
    together = hindcast(model, history, features, rows)
    assert not np.array_equal(together.load_wh, profile_base(features, rows, MONTH))
    alone = hindcast(model, history, features, rows[:1])
    # A sequence ends at the last origin asked for, so that its place in the sequence is another.
    np.testing.assert_allclose(alone.load_wh[0], together.load_wh[0], rtol=1e-2)
    assert (np.diff(together.load_quantiles_wh, axis=2) >= 0).all()


def test_the_correction_knows_nothing_after_the_gate():
    readings = make_readings()
    issued = make_forecast(readings)
    trained, _, ridge = _train(see(readings, GATE, issued))
    histories = [
        see(readings, GATE, issued),
        see(changed_from(readings, GATE), GATE, changed_issues(issued, GATE)),
    ]
    first, second = (correct(trained.vector, TINY, h, HomeFeatures(h), ridge, OPEN) for h in histories)
    np.testing.assert_array_equal(first.load_wh, second.load_wh)
    np.testing.assert_array_equal(first.pv_wh, second.pv_wh)
    assert first.load_wh.any()
    shut = correct(trained.vector, TINY, histories[0], HomeFeatures(histories[0]), ridge, dict.fromkeys(OPEN, 0.0))
    assert not shut.load_wh.any()


@pytest.mark.parametrize("what", ["dead meter", "no solar", "hourly"])
def test_odd_homes_train_to_finite_numbers(what):
    readings = make_readings(solar=what != "no solar")
    if what == "dead meter":
        readings.load_wh[:] = 0
    history = see(readings, GATE, resolution_slots=2 if what == "hourly" else 1)
    trained, features, ridge = _train(history)
    correction = correct(trained.vector, TINY, history, features, ridge, OPEN)
    assert np.isfinite(trained.vector).all()
    assert np.isfinite(correction.load_wh).all()
    assert what != "no solar" or not correction.pv_wh.any()


@pytest.mark.parametrize("days", [20, 29, 43, 46])
def test_a_short_history_trains_as_far_as_it_reaches(days):
    gate = FIRST_SLOT + days * DAY
    history = see(make_readings(), gate)
    trained, *_ = _train(history, dataclasses.replace(TASK, before_slot=gate))
    reach = max(min(7, (days - 14) - 28 - 1), 0)
    assert trained.examples == 3 * 2 * reach
    assert np.isfinite(trained.vector).all()


def test_training_learns_what_the_base_cannot():
    readings = make_readings()
    history = see(readings, GATE)
    features = HomeFeatures(history)
    vector, losses = initial_vector(TINY, 0), []
    for number in range(1, 7):
        task = dataclasses.replace(TASK, round=number, rounds=6, local_steps=10)
        trained = train_round(vector, TINY, history, features, None, task)
        vector = trained.vector
        losses.append(trained.metrics["loss"])
    assert losses[-1] < losses[0]
    assert len(history) > TRAILING
