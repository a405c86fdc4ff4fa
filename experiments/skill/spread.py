"""Quantiles of the ridge's coming day: its rolling ones, corrected by the federated quantile regression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from client.features import DAY, TRAILING
from client.ridge import load_base
from client.spread import SPREAD_FEATURES, beyond_rolling, corrected_quantiles, spread_design, spread_sums
from common.ridge import RidgeWeights
from common.spread import LONE_PENALTY, PENALTY, Sums, Weights, fit_spread
from experiments.skill import baselines
from experiments.skill.homes import Float, Forecast, Home, Index
from experiments.skill.intervals import PER_DAY, WINDOW_DAYS, rolling_quantiles
from experiments.skill.split import ORIGIN_STEP

_BEFORE = PER_DAY * (WINDOW_DAYS + 1)
"""Origins before the first that has rolling quantiles of the coming day."""

_EVERY = 2
"""Of the origins that have them, one in so many is learnt from: six hours apart."""


def fit_ridge_spread(homes: Sequence[Home], weights: Mapping[str, RidgeWeights], before_slot: int) -> Weights:
    """Fit the correction on what the homes have before a slot.

    Args:
        homes: those that take part. weights: of each one's ridge, by id.
        before_slot: no target from here on is looked at. Where no home has 57 days before it, the correction is zero.
    """
    parts = [part for home in homes if (part := _lesson(home, weights[home.home_id], before_slot))]

    def ask(last: Weights) -> Iterator[Sums]:
        return (spread_sums(design, beyond, last) for design, beyond in parts)

    if not parts:
        return np.zeros((3, SPREAD_FEATURES), np.float32)
    return fit_spread(ask, SPREAD_FEATURES, LONE_PENALTY if len(homes) == 1 else PENALTY)


def _lesson(home: Home, weights: RidgeWeights, before_slot: int) -> tuple[Float, Float] | None:
    """Design and targets of one home, or None where it has too little before the slot."""
    features = home.features
    first = TRAILING + -(features.first_slot + TRAILING) % ORIGIN_STEP  # as the origins that score: of local hours
    rows = np.arange(first, before_slot - features.first_slot - DAY + 1, ORIGIN_STEP)
    count = len(rows) - _BEFORE
    if count <= 0:
        return None
    said = load_base(features, rows, DAY, weights)
    error = features.load[rows[:, None] + np.arange(DAY)] - said
    late = np.arange(_BEFORE, len(rows), _EVERY)
    rolling = rolling_quantiles(error, count)[late - _BEFORE]
    alive = features.alive(rows[late])
    late, rolling = late[alive], rolling[alive]
    if not len(late):
        return None
    scale = features.scale_wh(rows[late])
    return spread_design(features, rows[late], said[late], rolling), beyond_rolling(error[late], rolling, scale)


def ridge(home: Home, rows: Index, weights: RidgeWeights, spread: Weights) -> Forecast:
    """The linear base with quantiles of its own; zeros at the first 29 days' origins, which have no rolling ones.

    Args:
        home: with all its readings; what an origin is told lies before it.
        rows: origins every three hours, in order. weights: of the ridge. spread: of the correction.
    """
    said = baselines.ridge(home, rows, weights)
    features, day, late = home.features, said.load_wh[:, :DAY], rows[_BEFORE:]
    ahead = np.minimum(rows[:, None] + np.arange(DAY), len(home.history) - 1)
    # Of the last origins not all is known; no quantile is made of these.
    rolling = rolling_quantiles(features.load[ahead] - day, len(late))
    design = spread_design(features, late, day[_BEFORE:], rolling)
    around = corrected_quantiles(design, rolling, features.scale_wh(late), spread)
    quantiles = np.zeros((*day.shape, 3), np.float32)
    quantiles[_BEFORE:] = np.maximum(day[_BEFORE:, :, None] + around, 0)
    return replace(said, load_quantiles_wh=quantiles)
