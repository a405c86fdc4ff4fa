"""What the Transformer says of one home, alone, at any origins: the newest one, or hundreds in the past.

Tokens of a sequence are days; sequences overlap so that each origin has at least half of the context before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from client.batches import token_tensors
from client.device import device_of, mixed_precision
from client.features import DAY, MONTH, TRAILING, WEEK, Float, HomeFeatures, Index
from client.history import History
from client.ridge import lit_ahead, profile_base, pv_profile_base
from client.tokens import Tokens, make_tokens
from common.metrics import QUANTILES
from common.model import Heads, Transformer

_SEQUENCES = 16
"""Sequences that go through the model at once."""


@dataclass(frozen=True)
class Said:
    """Forecasts at n origins, Wh a slot, never negative.

    Attributes:
        load_wh: mean, shape ``(n, 1440)``. pv_wh: shape ``(n, 1440)``, after the first day the profile.
        load_quantiles_wh: of the coming day, shape ``(n, 48, 3)``, ascending.
    """

    load_wh: Float
    pv_wh: Float
    load_quantiles_wh: Float


@torch.no_grad()
def hindcast(model: Transformer, history: History, features: HomeFeatures, rows: Index) -> Said:
    """Forecasts at origins ``rows`` (:meth:`HomeFeatures.rows`), each from what was known then.

    Args:
        model: in evaluation mode. history, features: of the home.
        rows: shape ``(n,)``, any order.
    """
    load, pv = profile_base(features, rows, MONTH), pv_profile_base(features, rows, MONTH).copy()
    lit = lit_ahead(features, rows, MONTH)
    quantiles = np.zeros((len(rows), DAY, len(QUANTILES)), np.float32)
    place = {int(row): i for i, row in enumerate(rows)}
    for sequences, counts in _sequences(rows, model.spec.context_days):
        flat = sequences.ravel()
        tokens = make_tokens(history, features, flat)
        heads = _heads(model, tokens, len(sequences))
        usual = features.usual_wh(flat[:, None] + np.arange(DAY))[:, :, None]
        spread = usual + features.spread[flat[:, None] + np.arange(DAY)]
        said = [_flat(head) for head in heads]
        for i, count in enumerate(counts):
            last = np.arange((i + 1) * sequences.shape[1] - count, (i + 1) * sequences.shape[1])
            at = np.array([place[int(row)] for row in flat[last]])
            scale = tokens.scale_wh[last, None]
            day, solar, week, month = (head[last] for head in said)
            load[at, :DAY] += scale * day[:, :, 0]
            load[at, DAY:WEEK] += scale * week[:, DAY:, 0]
            load[at, WEEK:] += scale * month[:, WEEK:]
            pv[at, :DAY] += tokens.pv_scale_wh[last, None] * solar
            quantiles[at] = np.sort(spread[last] + scale[:, :, None] * day[:, :, 1:], axis=2)
    has_pv = np.float32(features.has_pv)
    return Said(np.maximum(load, 0), np.maximum(pv, 0) * lit * has_pv, np.maximum(quantiles, 0))


def _heads(model: Transformer, tokens: Tokens, sequences: int) -> Heads:
    device = device_of(model)
    past, future = (tensor.to(device) for tensor in token_tensors(tokens, sequences))
    with mixed_precision(device):
        heads = model(past, future)
    return Heads(*(head.float().cpu() for head in heads))


def _flat(head: Tensor) -> Float:
    """``(B, T, ...)`` to ``(B T, ...)``."""
    values: Float = head.flatten(0, 1).numpy()
    return values


def _sequences(rows: Index, context: int) -> Iterator[tuple[Index, list[int]]]:
    """Origins ``(B, T)`` to run, and how many of the last tokens of each sequence are asked for."""
    by_length: dict[int, list[tuple[Index, int]]] = {}
    for phase in np.unique(rows % DAY):
        days = np.unique(rows[rows % DAY == phase])
        first = 0
        while first < len(days):
            within = days[first:] < days[first] + DAY * max(context // 2, 1)
            unbroken = np.append(True, np.diff(days[first:]) == DAY)
            count = int(np.argmin(np.append(within & unbroken, False)))
            last = days[first + count - 1]
            length = min(context, (int(last) - TRAILING) // DAY + 1)
            by_length.setdefault(length, []).append((last - DAY * np.arange(length - 1, -1, -1), count))
            first += count
    for found in by_length.values():
        for low in range(0, len(found), _SEQUENCES):
            part = found[low : low + _SEQUENCES]
            yield np.stack([sequence for sequence, _ in part]), [count for _, count in part]
