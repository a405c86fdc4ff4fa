"""Gradient-boosted trees (LightGBM, the optional extra ``lightgbm``) on the homes' pooled data, for the coming day.

One tree ensemble for all half-hours ahead, told which one it is; by itself, and on what the federated ridge leaves.
Rounds are stopped where the validation span says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.features import DAY, HomeFeatures
from client.tokens import make_tokens
from common.metrics import QUANTILES
from experiments.skill.homes import Float, Forecast, Home, Index

_LEAD_STEP = 2
"""Leads are whole hours: the halves of an hourly meter are the same, and those of others nearly."""

_HOURS = DAY // _LEAD_STEP
_WINDOWS = (2, 6, 12, 48, 336)
_ROUNDS, _PATIENCE = 300, 20
_PARAMETERS: dict[str, Any] = {
    "num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 200, "feature_fraction": 0.5, "bagging_fraction": 0.5,
    "bagging_freq": 1, "lambda_l2": 10.0, "verbose": -1, "num_threads": 1, "deterministic": True, "seed": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Trees:
    """Boosters of the scaled residual of a base: ``mean`` and one for each of the quantiles."""

    mean: Any
    quantiles: tuple[Any, ...]


def available() -> bool:
    """Whether LightGBM is installed."""
    try:
        import lightgbm  # noqa: F401
    except ImportError:
        return False
    return True


def fit_trees(
    homes: Sequence[Home], learn: Mapping[str, Index], decide: Mapping[str, Index], base: Mapping[str, Float]
) -> Trees:
    """Fit on all homes' data.

    Args:
        homes: the homes.
        learn, decide: origins (rows) of each home to learn from, and to stop at.
        base: forecast of each home that the trees correct, at ``learn`` and then ``decide``, shape ``(n, 48)``, Wh.
    """
    import lightgbm

    parts: dict[str, list[tuple[Float, Float]]] = {"learn": [], "decide": []}
    for home in homes:
        cut = len(learn[home.home_id])
        for name, rows, said in (
            ("learn", learn[home.home_id], base[home.home_id][:cut]),
            ("decide", decide[home.home_id], base[home.home_id][cut:]),
        ):
            actual = home.features.load[rows[:, None] + np.arange(DAY)]
            scaled = _hourly(actual - said) / home.features.scale_wh(rows)[:, None]
            parts[name].append((_design(home, rows, said), np.clip(scaled, -10, 10).ravel()))
    (x, y), (vx, vy) = ([np.concatenate(column) for column in zip(*parts[name], strict=True)] for name in parts)
    train = lightgbm.Dataset(x, y, free_raw_data=False)
    stop = lightgbm.Dataset(vx, vy, reference=train, free_raw_data=False)

    boosters: list[Any] = []
    objectives: list[dict[str, Any]] = [{"objective": "l2"}]
    objectives += [{"objective": "quantile", "alpha": level} for level in QUANTILES]
    for objective in objectives:
        until: list[Any] = [lightgbm.early_stopping(_PATIENCE, verbose=False)]
        boosters.append(lightgbm.train(_PARAMETERS | objective, train, _ROUNDS, valid_sets=[stop], callbacks=until))
    return Trees(boosters[0], tuple(boosters[1:]))


def forecast_trees(home: Home, rows: Index, base: Forecast, trees: Trees) -> Forecast:
    """The base with the trees' correction of the coming day; beyond it, and for solar power, the base as it is."""
    day = base.load_wh[:, :DAY]
    design, scale = _design(home, rows, day), home.features.scale_wh(rows)[:, None]

    said = []
    for booster in (trees.mean, *trees.quantiles):
        change = np.repeat(booster.predict(design).reshape(len(rows), _HOURS), _LEAD_STEP, axis=1)
        said.append(np.maximum(day + scale * change, 0).astype(np.float32))
    load = base.load_wh.copy()
    load[:, :DAY] = said[0]
    return Forecast(load, base.pv_wh, np.sort(np.stack(said[1:], axis=2), axis=2))


def _hourly(values: Float) -> Float:
    hourly: Float = values.reshape(len(values), _HOURS, _LEAD_STEP).mean(axis=2)
    return hourly


def _design(home: Home, rows: Index, base: NDArray[np.floating]) -> Float:
    """One row for each origin and hour ahead: what the Transformer's tokens know of that hour, and the last hours."""
    features = home.features
    ahead = make_tokens(home.history, features, rows).future[:, ::_LEAD_STEP]  # (n, 24, covariates)
    hours = np.arange(0, DAY, _LEAD_STEP)
    target = rows[:, None] + hours
    scale = features.scale_wh(rows)[:, None]
    columns = [
        _hourly(base.astype(np.float32)) / scale,
        np.broadcast_to(hours, target.shape),
        features.half_hour[target],
        features.weekday[target],
        *(features.load[target - DAY * days] / scale for days in (1, 2, 3, 7, 14)),
        *(np.broadcast_to(_recent(features, rows, slots) / scale, target.shape) for slots in _WINDOWS),
    ]
    extra = np.stack([np.asarray(column, np.float32) for column in columns], axis=2)
    return np.concatenate([ahead, extra], axis=2).reshape(len(rows) * _HOURS, -1)


def _recent(features: HomeFeatures, rows: Index, slots: int) -> Float:
    """Mean surprise of the last ``slots``, Wh, shape ``(n, 1)``."""
    recent = rows[:, None] - slots + np.arange(slots)
    mean: Float = (features.load[recent] - features.profile[recent]).mean(axis=1, keepdims=True)
    return mean
