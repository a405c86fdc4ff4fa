"""Sequences of tokens with what the Transformer is to say of them: the residuals of the linear base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.features import DAY, MONTH, Float, HomeFeatures, Index
from client.history import History
from client.ridge import load_base, pv_base
from client.tokens import COVARIATE_NAMES, GROUPS, TOKEN_CHANNELS, WEATHER_COVARIATES, make_tokens
from common.model import CHANNELS, COVARIATES, MASKS
from common.ridge import RidgeWeights

assert (len(TOKEN_CHANNELS), len(GROUPS), len(COVARIATE_NAMES)) == (CHANNELS, MASKS, COVARIATES)

_DROP = 0.3
"""Chance that a sequence loses its appliances, its weather, its battery and market."""

_CLIP = np.float32(10.0)


@dataclass(frozen=True)
class Batch:
    """B sequences of T tokens with the scaled residuals to learn; ``*_known`` is 1 where a target may be used."""

    past: Tensor
    future: Tensor
    load: Tensor  # (B, T, 1440)
    load_known: Tensor  # (B, T, 1440)
    pv: Tensor  # (B, T, 48)
    pv_known: Tensor  # (B, T, 48)


def make_batch(
    history: History,
    features: HomeFeatures,
    ridge: RidgeWeights | None,
    rows: Index,
    limit: int,
    rng: np.random.Generator | None = None,
) -> Batch:
    """Sequences of tokens at ``rows`` ``(B, T)``, with the targets before row ``limit``.

    Args:
        history, features, ridge: of the home.
        rows: origins of the tokens.
        limit: first row that no target may touch.
        rng: draws which channel groups a sequence loses; None to lose none.
    """
    b, t = rows.shape
    flat = rows.ravel()
    tokens = make_tokens(history, features, flat, ridge)
    past, flags, future = tokens.past, tokens.flags, tokens.future
    if rng is not None:
        _drop_groups(past, flags, future, np.repeat(rng.random((b, 3)) < _DROP, t, axis=0))
    target = flat[:, None] + np.arange(MONTH)  # (B T, 1440)
    known = target < limit
    scale, pv_scale = tokens.scale_wh[:, None], tokens.pv_scale_wh[:, None]
    target = np.minimum(target, limit - 1)
    load = (features.load[target] - load_base(features, flat, MONTH, ridge)) / scale
    pv = (features.pv[target[:, :DAY]] - pv_base(features, flat, DAY, ridge)) / pv_scale
    alive = features.alive(flat)[:, None]  # nothing is to be learnt after a month of a dead meter
    has_pv = np.full((len(flat), DAY), features.has_pv)

    def tensor(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32).reshape(b, t, -1))

    return Batch(
        past=tensor(np.concatenate([past.reshape(b * t, -1), flags], axis=1)),  # (B T, 48 x 24 + 5)
        future=tensor(future),
        load=tensor(np.clip(load, -_CLIP, _CLIP) * known),
        load_known=tensor(known & alive),
        pv=tensor(np.clip(pv, -_CLIP, _CLIP) * known[:, :DAY]),
        pv_known=tensor(known[:, :DAY] & has_pv),
    )


def _drop_groups(past: Float, flags: Float, future: Float, drop: NDArray[np.bool_]) -> None:
    """Zero the groups that ``drop`` ``(n, 3)`` says: appliances, weather, battery and market."""
    names = list(GROUPS)
    for column, groups in enumerate((("appliances",), ("weather",), ("battery", "market"))):
        for group in groups:
            past[drop[:, column], :, GROUPS[group]] = 0
            flags[drop[:, column], names.index(group)] = 0
    future[drop[:, 1], :, WEATHER_COVARIATES] = 0
