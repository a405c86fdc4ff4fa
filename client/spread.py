"""How uncertain a home's coming day is: what it knows of that at an origin, and its sums for the federated fit.

The quantiles of the errors that the forecaster made lately at that time of day (rolling quantiles) are corrected by a
linear function of what the home knows, for each level one, the same for all homes, in units of the home's scale.
Central finds it by quantile regression (:mod:`common.spread`); homes send sums.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from client.features import DAY, WEEK, Float, HomeFeatures, Index
from common.metrics import QUANTILES
from common.spread import Weights

SPREAD_FEATURES = 48

_CLIP = np.float32(10.0)
"""Scaled values beyond this are clipped, as those of the ridge."""

_SHARP = 0.02
"""Residuals below this share of the scale count as if they were as large: the parabola of a residual of 0 is a line."""

_FADE = 6.0
"""Half-hours after which what was just metered says a third of what it says of the next."""

_SAMPLE_DAYS, _SAMPLE_RANKS = 14, (0.1, 0.3, 0.5, 0.7, 0.9)


def spread_design(features: HomeFeatures, rows: Index, said: Float, rolling: Float) -> Float:
    """What tells the spread of each half-hour of the coming day, shape ``(n, 48, 48)``; causal at each origin.

    Args:
        features: of the home. rows: n origins.
        said: forecast of the coming day, Wh, shape ``(n, 48)``.
        rolling: quantiles of its late errors, Wh, shape ``(n, 48, 3)``.
    """
    target, scale = rows[:, None] + np.arange(DAY), features.scale_wh(rows)[:, None]
    mean, late, usual = said / scale, rolling / scale[:, :, None], features.spread[target] / scale[:, :, None]
    fade = np.broadcast_to(np.exp(-np.arange(DAY, dtype=np.float32) / _FADE), mean.shape)
    columns = [
        np.ones_like(mean), mean, np.sqrt(np.maximum(mean, 0)), mean**2, fade, fade * mean,
        *np.moveaxis(late, 2, 0), late[:, :, 2] ** 2, late[:, :, 2] * mean, late[:, :, 0] * mean,
        fade * late[:, :, 2], fade * late[:, :, 0],
        *np.moveaxis(usual, 2, 0),
        *(profile[target] / scale for profile in (features.profile, features.median_profile, features.week_profile)),
        *(np.broadcast_to(features.level_wh(rows, slots)[:, None] / scale, mean.shape) for slots in (4 * WEEK, WEEK)),
        *_lately(features, rows, scale, fade),
        *_same_hour(features, target, scale, mean),
        *_calendar(features, target),
        *_temperature(features, rows),
    ]  # fmt: skip
    return np.clip(np.stack(columns, axis=2, dtype=np.float32), -_CLIP, _CLIP)


def _lately(features: HomeFeatures, rows: Index, scale: Float, fade: Float) -> list[Float]:
    """How far, and which way, the load was from its usual of late; each of shape ``(n, 48)``."""
    recent = rows[:, None] - WEEK + np.arange(WEEK)
    off = (features.load[recent] - features.usual_wh(recent)) / scale  # (n, 336)

    def mean(values: Float, slots: int) -> Float:
        last: Float = values[:, WEEK - slots :].mean(axis=1, keepdims=True)
        return last

    size = np.abs(off)
    far = [mean(size, 2) * fade, mean(size, 6) * fade, *(mean(size, slots) for slots in (6, DAY, WEEK))]
    way = [mean(off, 2) * fade, *(mean(off, slots) for slots in (6, DAY))]
    return [np.broadcast_to(column, fade.shape) for column in (*far, *way)]


def _same_hour(features: HomeFeatures, target: Index, scale: Float, mean: Float) -> list[Float]:
    """The load about the same half-hour of the days before, against the forecast ``mean``; each ``(n, 48)``."""
    last = target[:, :1] - 1  # what is metered
    days = DAY * np.arange(1, _SAMPLE_DAYS + 1)[:, None]
    near = np.minimum(target[:, :, None] + (np.arange(-1, 2) - days).ravel(), last[:, :, None])  # (n, 48, 42)
    samples = np.sort(features.load[near], axis=2)
    ranks = (int(rank * (near.shape[2] - 1)) for rank in _SAMPLE_RANKS)
    wide = np.minimum(target[:, :, None] + (np.arange(-2, 3) - days[:3]).ravel(), last[:, :, None])  # (n, 48, 15)
    return [
        *(samples[:, :, rank] / scale - mean for rank in ranks),
        *(np.abs(features.load[target - DAY * ago] / scale - mean) for ago in (1, 2, 7)),
        np.abs(features.load[wide] - features.usual_wh(wide)).mean(axis=2) / scale,
    ]


def _calendar(features: HomeFeatures, target: Index) -> list[Float]:
    angle = 2 * np.pi / DAY * features.half_hour[target]
    waves = [wave(k * angle) for k in (1, 2) for wave in (np.cos, np.sin)]
    return [*waves, (features.weekday[target] >= 5).astype(np.float32), features.holiday[target]]


def _temperature(features: HomeFeatures, rows: Index) -> list[Float]:
    ahead = features.weather_ahead(rows, DAY)[:, :, 0]
    return [ahead, np.maximum(ahead - np.float32(0.6), 0), np.maximum(np.float32(-0.4) - ahead, 0)]  # as the ridge's


def beyond_rolling(error: Float, rolling: Float, scale_wh: Float) -> Float:
    """What the correction should say of known errors, in units of the scale, shape ``(n, 48, 3)``.

    Args:
        error: actual - forecast, Wh, shape ``(n, 48)``. rolling: shape ``(n, 48, 3)``. scale_wh: shape ``(n,)``.
    """
    scale = scale_wh[:, None, None]
    beyond: Float = np.clip(error[:, :, None] / scale, -_CLIP, _CLIP) - rolling / scale
    return beyond


def spread_sums(design: Float, beyond: Float, weights: Weights) -> dict[str, NDArray[np.float64]]:
    """One home's sums of a round.

    Args:
        design: shape ``(n, 48, features)``. beyond: :func:`beyond_rolling` of the same origins.
        weights: of the last round, shape ``(3, features)``.

    Returns:
        ``gram`` ``(3, features, features)``, ``cross`` ``(3, features)``, ``count`` ``(1,)``.
    """
    x = design.reshape(-1, design.shape[2]).astype(np.float64)
    y = beyond.reshape(-1, len(QUANTILES)).astype(np.float64)
    gram, cross = [], []
    with threadpool_limits(1):  # to the bit the same in every process
        for column, level in enumerate(QUANTILES):
            residual = y[:, column] - x @ weights[column].astype(np.float64)
            weighted = x / (2 * (np.abs(residual) + _SHARP))[:, None]
            gram.append(weighted.T @ x)
            cross.append(weighted.T @ y[:, column] + (level - 0.5) * x.sum(axis=0))
    return {"gram": np.stack(gram), "cross": np.stack(cross), "count": np.array([len(x)], np.float64)}


def corrected_quantiles(design: Float, rolling: Float, scale_wh: Float, weights: Weights) -> Float:
    """Quantiles of the errors to come, ascending, Wh, shape ``(n, 48, 3)``; ``rolling`` itself where weights are 0."""
    change = np.einsum("nhp,lp->nhl", design, weights)  # not BLAS, as the ridge's product
    quantiles: Float = np.sort(rolling + scale_wh[:, None, None] * change, axis=2)
    return quantiles
