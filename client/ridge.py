"""The linear base of one home: what it knows at an origin as a row ``x``, its sums for the fit, and its forecast.

Features and targets are divided by the home's own trailing scale, so one set of weights serves large and small homes.
The targets are residuals of seasonal profiles; central solves for the weights (:mod:`common.ridge`).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from client.features import DAY, TRAILING, WEEK, WEEK_SHARE, Float, HomeFeatures, Index
from client.history import COMMUNITY_LAG
from common.ridge import HEADS, RidgeWeights

WEEK_POOL = 4
"""Half-hours that one target of the week head averages."""

PV_HORIZON = 2 * DAY
PV_LEADS = (0, 1, 2, 4, 8, 16, DAY, PV_HORIZON)
"""Bounds of the leads, in half-hours, that share the weights of the solar head."""

LOAD_FEATURES, PV_FEATURES = 335, 10
_CLIP = np.float32(10.0)
"""Scaled values beyond this are clipped: one freak half-hour must not own the fit."""

_ORIGIN_STEP = 2
"""Slots between the origins of the statistics: whole hours."""

_BLOCK = 1024


def profile_base(features: HomeFeatures, rows: Index, horizon: int) -> Float:
    """Seasonal profile of the load from each origin on, Wh; shape ``(n, horizon)``, any horizon up to a month."""
    steps = np.arange(horizon)
    base: Float = features.profile[rows[:, None] + steps % DAY].copy()  # (n, horizon)
    week = min(horizon, WEEK)
    base[:, :week] *= 1 - WEEK_SHARE
    base[:, :week] += WEEK_SHARE * features.week_profile[rows[:, None] + steps[:week]]
    return base


def pv_profile_base(features: HomeFeatures, rows: Index, horizon: int) -> Float:
    """Seasonal profile of solar power from each origin on, Wh; shape ``(n, horizon)``."""
    base: Float = features.pv_profile[rows[:, None] + np.arange(horizon) % DAY]
    return base


def load_design(features: HomeFeatures, rows: Index) -> Float:
    """Rows of the load heads, shape ``(n, load features)``; causal at each origin."""
    at, scale = rows[:, None], features.scale_wh(rows)[:, None]
    day = np.arange(DAY)
    recent = at - DAY + day
    profile = features.profile[at + day]  # (n, 48)
    blocks = [
        (features.load[recent] - features.profile[recent]) / scale,  # residuals of the last 24 h
        features.mean_wh(at - WEEK + np.arange(0, WEEK - DAY, 4), 4) / scale,  # 2 h means of the 6 days before
        profile / scale,
        _pooled(features.week_profile[at + day] - profile, 2) / scale,
        _pooled(features.median_profile[at + day] - profile, 2) / scale,
        np.stack([features.level_wh(rows), features.level_wh(rows, WEEK)], 1) / scale,
        _pooled(features.community[recent - COMMUNITY_LAG], 2),
        *_weather_blocks(features, rows),
        _phase(features, rows),
        *_week_blocks(features, rows),
        np.ones((len(rows), 1), np.float32),
    ]
    return np.clip(np.concatenate(blocks, axis=1, dtype=np.float32), -_CLIP, _CLIP)


def pv_design(features: HomeFeatures, rows: Index) -> Float:
    """What each half-hour of the coming two days is told for its solar power, shape ``(n, 96, solar features)``.

    Unlike the load, solar power follows the sun: each target has its own few features, in proportion to the usual
    power of its half-hour, and all targets of like lead share their weights.
    """
    steps = np.arange(PV_HORIZON) % DAY
    target, scale = rows[:, None] + steps, features.pv_scale_wh(rows)[:, None]  # (n, 96), (n, 1)
    usual = features.pv_profile[target] / scale
    errors = [(features.pv[target - DAY * k] - features.pv_profile[target - DAY * k]) / scale for k in (1, 2, 3)]
    # What a panel does in other light, whatever its size and direction: the usual power times the change of the light.
    change = usual * features.light_change(rows, steps, features.weather_ahead(rows, PV_HORIZON)[:, :, 2])
    trust = features.light_trust(rows)[:, None]
    explained = usual * features.light_change(rows - DAY, steps, features.weather[target - DAY, 2])
    columns = [
        usual,
        np.minimum(change, 0) * trust,
        np.maximum(change, 0) * trust,
        np.minimum(change, 0) * trust**2,
        np.maximum(change, 0) * trust**2,
        errors[0],
        errors[0] - explained,
        (errors[0] + errors[1] + errors[2]) / 3,
        usual * _recent_error(features, rows, 6)[:, None],
        usual * _recent_error(features, rows, DAY)[:, None],
    ]
    design: Float = np.clip(np.stack(columns, axis=2), -_CLIP, _CLIP)
    return design


def _recent_error(features: HomeFeatures, rows: Index, slots: int) -> Float:
    """Error of the solar profile over the last ``slots``, as a share of it; shape ``(n,)``."""
    recent = rows[:, None] - slots + np.arange(slots)
    usual = features.pv_profile[recent].sum(axis=1)
    error = features.pv[recent].sum(axis=1) - usual
    share: Float = np.clip(error / (usual + features.pv_scale_wh(rows)), -2, 2)
    return share


def _weather_blocks(features: HomeFeatures, rows: Index) -> list[Float]:
    ahead = _pooled_weather(features.weather_ahead(rows, DAY))  # (n, 12, 4)
    yesterday = _pooled_weather(features.weather_yesterday(rows))
    temperature = ahead[:, :, 0]
    return [
        temperature,
        temperature - yesterday[:, :, 0],
        ahead[:, :, 2],
        np.maximum(temperature - 0.6, 0),  # above 22 C: cooling
        np.maximum(-0.4 - temperature, 0),  # below 15 C: heating
    ]


def _phase(features: HomeFeatures, rows: Index) -> Float:
    """Local hour of the origin, one-hot, shape ``(n, 24)``."""
    return np.eye(24, dtype=np.float32)[features.half_hour[rows] // 2]


def _week_blocks(features: HomeFeatures, rows: Index) -> list[Float]:
    noon = rows + DAY // 2  # the middle of the coming day tells what day it mostly is
    return [np.eye(7, dtype=np.float32)[features.weekday[noon]], features.holiday[noon, None]]


def _pooled(values: Float, size: int) -> Float:
    pooled: Float = values.reshape(len(values), values.shape[1] // size, size).mean(
        axis=2
    )  # (n, steps) -> (n, steps / size)
    return pooled


def _pooled_weather(values: Float) -> Float:
    pooled: Float = values.reshape(len(values), DAY // 4, 4, 4).mean(axis=2)  # (n, 48, 4) -> (n, 12 x 2 h, 4)
    return pooled


def load_base(features: HomeFeatures, rows: Index, horizon: int, weights: RidgeWeights | None) -> Float:
    """Linear forecast of the load from each origin on, Wh; shape ``(n, horizon)``, horizon up to a month.

    The day head speaks for the first 48 half-hours; to the end of the week the mean of the week head and of the
    profile, which follows the season faster; after it, and without weights, the profile (a ridge for the month lost to
    it on real homes).
    """
    base = profile_base(features, rows, horizon)
    if weights is None:
        return base
    x, scale = load_design(features, rows), features.scale_wh(rows)[:, None]
    base[:, :DAY] += scale * _product(x, weights.day[:, :horizon])
    if horizon > DAY:
        week = np.repeat(_product(x, weights.week), WEEK_POOL, axis=1)  # (n, 84) -> (n, 336)
        base[:, DAY:WEEK] += scale * week[:, DAY : min(horizon, WEEK)]
        lately = features.profile[rows[:, None] + np.arange(DAY, min(horizon, WEEK)) % DAY]
        base[:, DAY:WEEK] = (base[:, DAY:WEEK] + lately) / 2
    return np.maximum(base, 0)


def pv_base(features: HomeFeatures, rows: Index, horizon: int, weights: RidgeWeights | None) -> Float:
    """Linear forecast of solar power from each origin on, Wh; shape ``(n, horizon)``; zeros in a home without."""
    if not features.has_pv:
        return np.zeros((len(rows), horizon), np.float32)
    base = pv_profile_base(features, rows, horizon).copy()
    if weights is not None:
        ahead = min(horizon, PV_HORIZON)
        scale = features.pv_scale_wh(rows)[:, None]
        per_step = np.repeat(weights.pv[:, :, 0], np.diff(PV_LEADS), axis=0)  # (7, 10) -> (96, 10)
        base[:, :ahead] += scale * np.einsum("nhp,hp->nh", pv_design(features, rows), per_step)[:, :ahead]
    return np.maximum(base, 0) * lit_ahead(features, rows, horizon)


def lit_ahead(features: HomeFeatures, rows: Index, horizon: int) -> Float:
    """1 where the half-hour of each target had solar power in the last weeks, else 0; shape ``(n, horizon)``."""
    lit: Float = features.lit[rows[:, None] + np.arange(horizon) % DAY]
    return lit


def _product(x: Float, weights: Float) -> Float:
    # Not BLAS: its sums depend on the number of threads and on how many rows are multiplied at once, and a home's
    # forecast must be the same bits alone or among others.
    product: Float = np.einsum("np,pt->nt", x, weights)
    return product


def statistics(features: HomeFeatures, before_slot: int) -> dict[str, NDArray[np.float64]]:
    """Sums of one home for the fit by federation; only targets before ``before_slot``.

    Returns:
        for each head ``<head>_gram`` X'X ``(features, features)``, ``<head>_cross`` X'Y ``(features, targets)`` and
        ``<head>_count`` ``(1,)``, float64. A home without solar adds zeros to the solar head, a spell of a dead meter
        nothing to any.
    """
    end = min(before_slot, features.end) - features.first_slot
    start = TRAILING + features.first_slot % _ORIGIN_STEP  # whole hours: slots count from the epoch
    total = _empty_sums()
    with threadpool_limits(1):  # matrix products to the bit the same in every process
        for low in range(start, end, _BLOCK * _ORIGIN_STEP):
            rows = np.arange(low, min(low + _BLOCK * _ORIGIN_STEP, end), _ORIGIN_STEP)
            alive = rows[features.alive(rows)]
            _add_load(total, features, alive, end)
            if features.has_pv:
                _add_pv(total, features, alive, end)
    return total


def _empty_sums() -> dict[str, NDArray[np.float64]]:
    leads = len(PV_LEADS) - 1
    shapes = {
        "day": ((LOAD_FEATURES, LOAD_FEATURES), (LOAD_FEATURES, DAY), (1,)),
        "week": ((LOAD_FEATURES, LOAD_FEATURES), (LOAD_FEATURES, WEEK // WEEK_POOL), (1,)),
        "pv": ((leads, PV_FEATURES, PV_FEATURES), (leads, PV_FEATURES, 1), (leads,)),
    }
    names = ("gram", "cross", "count")
    return {
        f"{head}_{name}": np.zeros(shape) for head in HEADS for name, shape in zip(names, shapes[head], strict=True)
    }


def _add_load(total: dict[str, NDArray[np.float64]], features: HomeFeatures, rows: Index, end: int) -> None:
    x, scale = load_design(features, rows).astype(np.float64), features.scale_wh(rows)[:, None]
    for head, horizon, pool in (("day", DAY, 1), ("week", WEEK, WEEK_POOL)):
        whole = rows + horizon <= end
        known = rows[whole]
        actual = features.load[known[:, None] + np.arange(horizon)]  # (n, horizon)
        residual = _pooled(actual - profile_base(features, known, horizon), pool) / scale[whole]
        _accumulate(total, head, x[whole], residual)


def _add_pv(total: dict[str, NDArray[np.float64]], features: HomeFeatures, rows: Index, end: int) -> None:
    rows = rows[rows + PV_HORIZON <= end]
    actual = features.pv[rows[:, None] + np.arange(PV_HORIZON)]  # (n, 96)
    residual = (actual - pv_profile_base(features, rows, PV_HORIZON)) / features.pv_scale_wh(rows)[:, None]
    design, lit = pv_design(features, rows), lit_ahead(features, rows, PV_HORIZON) > 0
    for lead, (low, high) in enumerate(pairwise(PV_LEADS)):
        day = lit[:, low:high]  # the night teaches nothing
        x, y = design[:, low:high][day].astype(np.float64), residual[:, low:high][day]  # (m, 10), (m,)
        total["pv_gram"][lead] += x.T @ x
        total["pv_cross"][lead, :, 0] += x.T @ np.clip(y, -_CLIP, _CLIP).astype(np.float64)
        total["pv_count"][lead] += len(x)


def _accumulate(total: dict[str, NDArray[np.float64]], head: str, x: NDArray[np.float64], residual: Float) -> None:
    total[f"{head}_gram"] += x.T @ x
    total[f"{head}_cross"] += x.T @ np.clip(residual, -_CLIP, _CLIP).astype(np.float64)
    total[f"{head}_count"] += len(x)
