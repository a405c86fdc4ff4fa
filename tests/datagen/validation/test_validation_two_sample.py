from __future__ import annotations

import numpy as np
import pytest
from homes_for_validation import axis_of, noisy_homes

from datagen.validation.two_sample import (
    DayProfiles,
    _folds,
    day_profiles,
    tells,
    two_sample_auc,
    yardstick_auc,
)


def _days(homes, seed, **change):
    return day_profiles(noisy_homes(axis_of(days=50), homes, seed, **change))


def test_homes_of_one_kind_cannot_be_told_apart():
    result = two_sample_auc(_days(6, 0), _days(6, 100), repeats=2)
    assert 0.35 < result.auc < 0.65


def test_homes_of_another_kind_can():
    found = two_sample_auc(_days(6, 0), _days(6, 100, evening=2.0), repeats=1, importance=True)
    assert found.auc > 0.95
    assert found.importance.shape == (24,) and found.importance.argmax() >= 18
    best = tells(_days(6, 0), _days(6, 100, evening=2.0), 1.0)[0]
    assert best.auc > 0.8 and best.higher and best.generated_median > best.real_median


def test_seen_homes_are_told_apart_by_heart_even_among_real_ones():
    homes = _days(6, 0)
    rng = np.random.default_rng(0)
    marked = DayProfiles(homes.kwh * rng.lognormal(0, 1.0, (6, 24))[homes.home], homes.home)
    seen, unseen = yardstick_auc(marked, unseen=False, repeats=2), yardstick_auc(marked, repeats=2)
    assert seen.auc > 0.9 and unseen.auc < seen.auc


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_no_home_lies_on_both_sides_of_a_split(folds):
    days = _days(7, 0)
    group = _folds(days, folds, True, np.random.default_rng(1))
    for home in days.homes:
        assert len(np.unique(group[days.home == home])) == 1
    assert set(group) == set(range(folds))
    by_day = _folds(days, folds, False, np.random.default_rng(1))
    assert len(np.unique(by_day[days.home == 0])) == folds


def test_too_few_homes_have_no_figure():
    assert two_sample_auc(_days(1, 0), _days(5, 1)) is None
    assert yardstick_auc(_days(3, 0)) is None


def test_the_same_seed_gives_the_same_figure():
    sides = _days(4, 0), _days(4, 9)
    assert two_sample_auc(*sides, repeats=1).auc == two_sample_auc(*sides, repeats=1).auc
