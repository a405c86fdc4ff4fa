"""What the Transformer earned on a home's held-out days, and what it adds to the home's base forecast from now on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from client.features import DAY, HELD_OUT, MONTH, TRAILING, WEEK, HomeFeatures, Index
from client.forecaster import HORIZON, Correction
from client.hindcast import Said, hindcast
from client.history import History
from client.ridge import lit_ahead, load_base, pv_base
from common.model import Transformer
from common.ridge import GATED_HEADS, RidgeWeights

CORRECTION_SLOTS = HORIZON + 12
"""Slots that a correction covers: a horizon from any quote before the next round."""

_AGES = (0, 2, 4)
"""Slots since a correction was made at which it is still used; the gates are fitted for these."""

_ORIGIN_STEP = 16

Sums = dict[str, NDArray[np.float64]]


def judge(
    model: Transformer, history: History, features: HomeFeatures, ridge: RidgeWeights | None, end: int
) -> tuple[Sums, dict[str, float]]:
    """Sums for the gates, and errors, of the held-out days before row ``end``.

    Args:
        model: which nothing of these days was taught. history, features, ridge: of the home.
        end: row after the last known slot.

    Returns:
        for each head ``[<r, f>, <f, f>]`` of the base's residual ``r`` and of what the Transformer would change ``f``
        (:func:`common.ridge.solve_gates`); and ``base_rmse`` and ``model_rmse``, of the base and of the Transformer
        alone, of the day's load in units of the home's scale. Zeros where the history is too short.
    """
    sums: Sums = {head: np.zeros(2) for head in GATED_HEADS}
    rows = np.arange(end - DAY, max(end - HELD_OUT, TRAILING) - 1, -_ORIGIN_STEP)[::-1]  # even if the end is
    rows = rows[features.alive(rows)]
    if not len(rows):
        return sums, {"base_rmse": 0.0, "model_rmse": 0.0}
    said = hindcast(model, history, features, rows)
    base = load_base(features, rows, MONTH, ridge)
    target = rows[:, None] + np.arange(MONTH)
    known = target < end
    scale = features.scale_wh(rows)[:, None]
    actual = features.load[np.minimum(target, end - 1)]
    residual, change = (actual - base) / scale, (said.load_wh - base) / scale
    for head, part in (("week", slice(DAY, WEEK)), ("month", slice(WEEK, MONTH))):
        sums[head] = _sums(residual[:, part], change[:, part], known[:, part])
    for age in _AGES:
        late = (actual[:, age:DAY] - load_base(features, rows + age, DAY - age, ridge)) / scale
        sums["day"] += _sums(late, change[:, age:DAY], known[:, age:DAY])
    if features.has_pv:
        sums["pv"] = _judge_pv(features, ridge, rows, said)
    errors = {"base_rmse": residual, "model_rmse": (actual - said.load_wh) / scale}
    return sums, {name: math.sqrt(float(np.mean(error[:, :DAY] ** 2))) for name, error in errors.items()}


def _judge_pv(features: HomeFeatures, ridge: RidgeWeights | None, rows: Index, said: Said) -> NDArray[np.float64]:
    """Sums of the coming day's solar power; the day before ``end`` is known."""
    scale = features.pv_scale_wh(rows)[:, None]
    change = (said.pv_wh[:, :DAY] - pv_base(features, rows, DAY, ridge)) / scale
    lit = lit_ahead(features, rows, DAY) > 0
    total = np.zeros(2)
    for age in _AGES:
        actual = features.pv[rows[:, None] + np.arange(age, DAY)]
        late = (actual - pv_base(features, rows + age, DAY - age, ridge)) / scale
        total += _sums(late, change[:, age:], lit[:, age:])
    return total


def _sums(
    residual: NDArray[np.floating], change: NDArray[np.floating], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    change = change.astype(np.float64) * known
    return np.array([float((residual * change).sum()), float((change * change).sum())])


def correct(
    model: Transformer,
    history: History,
    features: HomeFeatures,
    ridge: RidgeWeights | None,
    gates: Mapping[str, float],
) -> Correction:
    """How far the Transformer moves the base, seen from the end of what is known: its gated share of the difference.

    Args:
        model: the Transformer. history, features, ridge: of the home.
        gates: share of each head, 0..1 (:func:`common.ridge.solve_gates`).
    """
    rows = features.rows(np.array([features.end]))
    said = hindcast(model, history, features, rows)
    load = (said.load_wh - load_base(features, rows, MONTH, ridge))[0, :CORRECTION_SLOTS]
    pv = np.zeros(CORRECTION_SLOTS, np.float32)
    pv[:DAY] = gates["pv"] * (said.pv_wh[0, :DAY] - pv_base(features, rows, DAY, ridge)[0])
    load[:DAY] *= gates["day"]
    load[DAY:] *= gates["week"]
    return Correction(first_slot=features.end, load_wh=load.astype(np.float32), pv_wh=pv)
