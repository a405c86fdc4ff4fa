"""Ridge regression by federation, the central half: homes send ``X'X`` and ``X'Y``, their sum is solved exactly.

The sums of all homes are what one machine with everybody's data would compute, so the fit is exactly the centralised
one and no rows of data ever travel.  The homes' half, which makes ``X`` and ``Y``, is :mod:`client.ridge`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

HEADS = ("day", "week", "pv")
"""What the ridge forecasts: load of the coming day and week, and solar power of the coming two days."""

SHRINKAGE = {"day": 0.1, "week": 0.3, "pv": 0.003}
"""Ridge penalty per sample: features have about unit variance, so this is the share of a direction that is shrunk."""

PERSONAL_SHRINKAGE = 3.0
"""The same for a home's own correction of the common weights of its coming day."""

PERSONAL_SUMS = ("day_gram", "day_cross", "day_count")
"""Statistics that a home keeps, to make the weights its own."""

GATED_HEADS = ("day", "week", "month", "pv")
"""Heads of the Transformer that correct the base."""


@dataclass(frozen=True)
class RidgeWeights:
    """Weights of the linear base, one matrix a head, float32.

    Attributes:
        day: shape ``(load features, 48)``, half-hours.
        week: shape ``(load features, 84)``, means of 2 hours.
        pv: shape ``(leads, solar features, 1)``: the targets of a like lead share their weights.
    """

    day: NDArray[np.float32]
    week: NDArray[np.float32]
    pv: NDArray[np.float32]

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """The weights by name, to send or to store."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[np.float32]]) -> RidgeWeights:
        """Inverse of :meth:`to_arrays`."""
        return RidgeWeights(**{head: np.ascontiguousarray(arrays[head], np.float32) for head in HEADS})


def add(statistics: Iterable[Mapping[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    """Sum of the homes' statistics (see :func:`client.ridge.statistics`), in the order given.

    Floating-point sums depend on their order: give the homes sorted, so that the same homes give the same bits.
    """
    total: dict[str, NDArray[np.float64]] = {}
    for one in statistics:
        for name, values in one.items():
            total[name] = total[name] + values if name in total else values.astype(np.float64)
    return total


def solve(total: Mapping[str, NDArray[np.float64]]) -> RidgeWeights:
    """Weights that minimise the squared error plus the penalty, from the summed statistics.

    Args:
        total: for each head ``<head>_gram`` (features, features), ``<head>_cross`` (features, targets) and
            ``<head>_count`` (1,), as :func:`add` returns them; of the solar head one for each group of leads,
            with a leading axis. A head without samples gets zero weights.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for head in HEADS:
        gram, cross, count = (total[f"{head}_{name}"] for name in ("gram", "cross", "count"))
        penalty = SHRINKAGE[head] * np.maximum(count, 1)[:, None, None] * np.eye(gram.shape[-1])
        weights[head] = np.linalg.solve(gram + penalty, cross[None] if cross.ndim == 2 else cross)
        weights[head] = weights[head].reshape(cross.shape).astype(np.float32)
    return RidgeWeights(**weights)


def personal(weights: RidgeWeights, own: Mapping[str, NDArray[np.float64]]) -> RidgeWeights:
    """The common weights, with those of the coming day moved as far towards the home's own as its data supports.

    A ridge regression of what the common weights leave of the home's own load, at home: the penalty pulls towards the
    common weights instead of zero.

    Args:
        weights: of all homes. own: the home's own statistics, as it sent them.
    """
    gram, cross, count = (own[f"day_{name}"] for name in ("gram", "cross", "count"))
    common = weights.day.astype(np.float64)
    penalty = PERSONAL_SHRINKAGE * max(float(count[0]), 1.0) * np.eye(len(gram))
    return replace(weights, day=(common + np.linalg.solve(gram + penalty, cross - gram @ common)).astype(np.float32))


def solve_gates(sums: Iterable[Mapping[str, NDArray[np.float64]]]) -> dict[str, float]:
    """Share of the Transformer in each head of the forecast: what it earned on the homes' held-out days.

    Args:
        sums: of each home, for each head the array ``[<r, f>, <f, f>]`` of the held-out residual ``r`` of the base
            and of the change ``f`` that the Transformer would make to it (:attr:`client.training.Trained.gate_sums`).
    """
    homes = list(sums)
    return {head: supported_share(*np.array([home[head] for home in homes]).reshape(-1, 2).T) for head in GATED_HEADS}


def supported_share(product: NDArray[np.float64], square: NDArray[np.float64], evidence: float = 2.0) -> float:
    """Share of a change that held-out data supports, 0..1.

    The least-squares share ``clip(<r, f> / <f, f>, 0, 1)``, and 0 unless the error that it saves, home by home, is
    more than ``evidence`` standard errors from nothing. A few weeks hold few independent days: without that test,
    heads were opened that made other weeks worse.

    Args:
        product, square: ``<r, f>`` and ``<f, f>`` of each home, shape ``(homes,)``.
        evidence: standard errors; 0 for the plain share. One home alone gets the plain share.
    """
    share = float(np.clip(product.sum() / square.sum(), 0, 1)) if square.sum() > 0 else 0.0
    saved = 2 * share * product - share**2 * square  # squared error saved in each home
    if len(product) > 1 and saved.mean() <= evidence * saved.std(ddof=1) / np.sqrt(len(product)):
        return 0.0
    return share
