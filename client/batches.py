"""Sequences of tokens with what the Transformer is to say of them: the residuals of the seasonal profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from client.features import DAY, MONTH, Float, HomeFeatures, Index
from client.history import History
from client.ridge import lit_ahead, profile_base, pv_profile_base
from client.tokens import COVARIATE_NAMES, GROUPS, TOKEN_CHANNELS, WEATHER_COVARIATES, Tokens, make_tokens
from common.metrics import QUANTILES
from common.model import CHANNELS, COVARIATES, MASKS

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
    spread: Tensor  # (B, T, 48, 3), usual quantiles of the coming day's residual
    load_known: Tensor  # (B, T, 1440)
    pv: Tensor  # (B, T, 48)
    pv_known: Tensor  # (B, T, 48)

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


def join(parts: Sequence[Batch]) -> Batch:
    """Sequences of like length in one batch."""
    if len(parts) == 1:
        return parts[0]
    return Batch(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Batch)))


def make_batch(
    history: History,
    features: HomeFeatures,
    rows: Index,
    limit: int,
    rng: np.random.Generator | None = None,
) -> Batch:
    """Sequences of tokens at ``rows`` ``(B, T)``, with the targets before row ``limit``.

    Args:
        history, features: of the home.
        rows: origins of the tokens.
        limit: first row that no target may touch.
        rng: draws which channel groups a sequence loses; None to lose none.
    """
    b, t = rows.shape
    flat = rows.ravel()
    tokens = make_tokens(history, features, flat)
    past, flags, future = tokens.past, tokens.flags, tokens.future
    if rng is not None:
        _drop_groups(past, flags, future, np.repeat(rng.random((b, 3)) < _DROP, t, axis=0))
    target = flat[:, None] + np.arange(MONTH)  # (B T, 1440)
    known = target < limit
    scale, pv_scale = tokens.scale_wh[:, None], tokens.pv_scale_wh[:, None]
    target = np.minimum(target, limit - 1)
    load = (features.load[target] - profile_base(features, flat, MONTH)) / scale
    pv = (features.pv[target[:, :DAY]] - pv_profile_base(features, flat, DAY)) / pv_scale
    spread = features.spread[flat[:, None] + np.arange(DAY)] / scale[:, :, None]
    alive = features.alive(flat)[:, None]  # nothing is to be learnt after a month of a dead meter
    lit = (lit_ahead(features, flat, DAY) > 0) & features.has_pv  # the night teaches nothing

    def tensor(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32).reshape(b, t, -1))

    inputs = token_tensors(tokens, b)

    return Batch(
        past=inputs[0],
        future=inputs[1],
        load=tensor(np.clip(load, -_CLIP, _CLIP) * known),
        load_known=tensor(known & alive),
        spread=tensor(spread).view(b, t, DAY, len(QUANTILES)),
        pv=tensor(np.clip(pv, -_CLIP, _CLIP) * known[:, :DAY]),
        pv_known=tensor(known[:, :DAY] & lit),
    )


def token_tensors(tokens: Tokens, sequences: int) -> tuple[Tensor, Tensor]:
    """Tokens of B sequences as the model takes them: past ``(B, T, 48 x 24 + 5)`` and future ``(B, T, 48 x 21)``."""
    count = len(tokens.flags)
    past = np.concatenate([tokens.past.reshape(count, -1), tokens.flags], axis=1)
    both = (past, tokens.future.reshape(count, -1))
    first, second = (torch.from_numpy(values.reshape(sequences, count // sequences, -1)) for values in both)
    return first, second


def _drop_groups(past: Float, flags: Float, future: Float, drop: NDArray[np.bool_]) -> None:
    """Zero the groups that ``drop`` ``(n, 3)`` says: appliances, weather, battery and market."""
    names = list(GROUPS)
    for column, groups in enumerate((("appliances",), ("weather",), ("battery", "market"))):
        for group in groups:
            past[drop[:, column], :, GROUPS[group]] = 0
            flags[drop[:, column], names.index(group)] = 0
    future[drop[:, 1], :, WEATHER_COVARIATES] = 0
