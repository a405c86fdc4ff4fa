from __future__ import annotations

import numpy as np
import pytest
from homes_for_validation import axis_of, noisy_homes

from datagen.validation.features import LAG_DAYS, features_of, origins_of, samples_of
from datagen.validation.forecast import transfer


@pytest.mark.parametrize("step_slots", [1, 2])
def test_nothing_after_an_origin_is_seen(step_slots):
    axis = axis_of(days=40, step_slots=step_slots)
    load = noisy_homes(axis, 2, seed=0).load_kwh
    for origin in origins_of(axis)[[0, 5, -1]]:
        before, scale = features_of(load, axis, np.array([origin]))
        changed = load.copy()
        changed[:, origin:] = 1e6
        after, scale_after = features_of(changed, axis, np.array([origin]))
        np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(scale, scale_after)
        changed[:, origin - 1] = 5.0
        assert not np.array_equal(features_of(changed, axis, np.array([origin]))[0], before)


def test_lags_are_the_same_step_of_days_before():
    axis = axis_of(days=40)
    load = noisy_homes(axis, 1, seed=0).load_kwh
    origin, lead = int(origins_of(axis)[3]), 7
    features, scale = features_of(load, axis, np.array([origin]))
    assert scale[0, 0] == pytest.approx(load[0, origin - 28 * 24 : origin].mean())
    for column, days in enumerate(LAG_DAYS):
        assert features[0, 0, lead, column] == pytest.approx(load[0, origin + lead - 24 * days] / scale[0, 0])
    past = load[0, origin + lead - 24 :: -24]
    weights = 0.9 ** np.arange(len(past))
    profile = (past * weights).sum() / weights.sum() / scale[0, 0]
    assert features[0, 0, lead, len(LAG_DAYS)] == pytest.approx(profile)


def test_unmetered_targets_are_no_rows():
    axis = axis_of(days=40)
    homes = noisy_homes(axis, 2, seed=0)
    origins = origins_of(axis)
    full = len(samples_of(homes, origins))
    homes.load_kwh[0, -1] = np.nan
    assert len(samples_of(homes, origins)) == full - 1


def test_homes_of_one_kind_teach_as_well_as_each_other():
    axis = axis_of(days=100)
    real = noisy_homes(axis, 3, seed=0)
    told = []
    found = transfer(
        real, noisy_homes(axis, 6, seed=7, name="generated"), step=lambda done, total: told.append((done, total))
    )
    assert 0.97 < found.ratio < 1.05 and len(found.ratios) == 2
    assert told[-1][0] == told[-1][1] == len(told)
    by_name = {score.name: score for score in found.scores}
    rows = {score.rows for score in by_name.values() if score.homes}
    assert max(rows) == by_name["the same real homes, before"].rows == by_name["generated homes, as many"].rows
    assert by_name["no model: as a day before"].rmse_kw > 1.2 * found.scores[0].rmse_kw


def test_a_short_history_has_no_forecaster():
    axis = axis_of(days=97)
    homes = noisy_homes(axis, 2, seed=0)
    assert transfer(homes, homes) is None
