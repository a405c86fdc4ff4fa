from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from client.features import DAY, HomeFeatures
from client.history import History
from client.spread import SPREAD_FEATURES, beyond_rolling, corrected_quantiles, spread_design, spread_sums
from client.store import open_home
from common.metrics import QUANTILES, pinball
from common.readings import home_folders
from common.spread import fit_spread
from common.tariff import load_tariff


def _homes(count: int, seed: int, n: int = 150) -> list[tuple[np.ndarray, np.ndarray]]:
    """Designs of a constant and one column, and errors that are as large as the column."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        wide = rng.uniform(0.1, 2, (n, DAY)).astype(np.float32)
        design = np.stack([np.ones_like(wide), wide], axis=2)
        error = (rng.normal(size=wide.shape) * wide).astype(np.float32)
        found.append((design, np.repeat(error[:, :, None], 3, axis=2)))
    return found


def test_the_sums_of_two_homes_give_what_their_pooled_data_gives():
    homes = _homes(2, seed=0)
    pooled = [np.concatenate(part) for part in zip(*homes, strict=True)]
    apart = fit_spread(lambda w: [spread_sums(*home, w) for home in homes], 2)
    together = fit_spread(lambda w: [spread_sums(pooled[0], pooled[1], w)], 2)
    np.testing.assert_allclose(apart, together, rtol=1e-4, atol=1e-5)


def test_each_round_lowers_the_loss_nearly_to_the_least():
    homes = _homes(3, seed=1)
    seen = []
    found = fit_spread(lambda w: seen.append(w) or [spread_sums(*home, w) for home in homes], 2)

    def loss(weights: np.ndarray) -> float:
        return sum(
            pinball(design @ weights[k], error[:, :, k], level)
            for design, error in homes
            for k, level in enumerate(QUANTILES)
        )

    losses = [loss(weights) for weights in (*seen, found)]
    assert losses[0] > 1.2 * losses[-1]
    assert all(b <= a * 1.001 for a, b in pairwise(losses))
    true = np.array([[0, -1.2816], [0, 0], [0, 1.2816]], np.float32)
    assert losses[-1] == pytest.approx(loss(true), rel=0.01)


def test_zero_weights_leave_the_rolling_quantiles_and_quantiles_never_cross():
    rng = np.random.default_rng(2)
    design = rng.normal(size=(5, DAY, SPREAD_FEATURES)).astype(np.float32)
    rolling = np.sort(rng.normal(size=(5, DAY, 3)), axis=2).astype(np.float32)
    scale = np.full(5, 200, np.float32)
    zero = np.zeros((3, SPREAD_FEATURES), np.float32)
    np.testing.assert_array_equal(corrected_quantiles(design, rolling, scale, zero), rolling)
    wild = rng.normal(size=zero.shape).astype(np.float32)
    assert (np.diff(corrected_quantiles(design, rolling, scale, wild), axis=2) >= 0).all()
    error = rolling[:, :, 1]
    assert beyond_rolling(error, rolling, scale)[:, :, 1] == pytest.approx(0, abs=1e-6)


def test_the_design_knows_nothing_that_lies_ahead(homes_root: Path):
    readings = open_home(home_folders(homes_root)[0])[1]
    tariff = load_tariff("pge-tou-c")
    cut = readings.end_slot - 10 * DAY
    late = np.arange(readings.first_slot, readings.end_slot) >= cut
    weather = None if readings.weather is None else np.where(late, readings.weather + 5, readings.weather)
    other = replace(readings, load_wh=np.where(late, 3 * readings.load_wh + 7, readings.load_wh), weather=weather)
    rng = np.random.default_rng(3)
    said, rolling = rng.uniform(0, 500, (3, DAY)).astype(np.float32), np.ones((3, DAY, 3), np.float32)
    designs = []
    for one in (readings, other):
        features = HomeFeatures(History(one, one.end_slot, tariff=tariff))
        rows = features.rows(np.array([cut - 30, cut - 1, cut]))
        designs.append(spread_design(features, rows, said, rolling))
        changed = spread_design(features, rows + 2 * DAY, said, rolling)
        designs.append(changed)
    assert designs[0].shape == (3, DAY, SPREAD_FEATURES)
    np.testing.assert_array_equal(designs[0], designs[2])
    assert not np.array_equal(designs[1], designs[3]), "the test says nothing"
