"""Linear quantile regression by federation, the central half: rounds of sums, each solved exactly.

The pinball loss of a residual ``r`` is ``|r| / 2 + (level - 1/2) r``.  Around the residuals of the last round
``|r|`` lies under a parabola, whose least is a weighted least-squares problem: homes send its two sums, central solves
it and sends the weights back.  The rounds find what one machine with everybody's data would find.  The homes' half is
:mod:`client.spread`.

Source: Hunter and Lange, Quantile Regression via an MM Algorithm, https://doi.org/10.1080/10618600.2000.10474866
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from common.ridge import add

ROUNDS = 12
"""Half as many cost a thousandth of the loss (docs/forecasting.md, What was tried)."""

PENALTY = 1e-3
"""Ridge penalty per sample: without evidence the weights stay at zero, and the quantiles as they were."""

LONE_PENALTY = 1e-2
"""The same where one home learns alone: it has fewer samples to the same number of weights."""

Sums = Mapping[str, NDArray[np.float64]]
Weights = NDArray[np.float32]
"""One row a level of :data:`common.metrics.QUANTILES`, shape ``(3, features)``."""


def solve_spread(total: Sums, penalty: float = PENALTY) -> Weights:
    """Weights of the next round.

    Args:
        total: ``gram`` of shape ``(3, features, features)``, ``cross`` ``(3, features)`` and ``count`` ``(1,)``, summed
            over homes (:func:`client.spread.spread_sums`).
        penalty: per sample.
    """
    gram, cross = total["gram"], total["cross"]
    shrink = penalty * max(float(total["count"][0]), 1.0) * np.eye(gram.shape[-1])
    return np.linalg.solve(gram + shrink, cross[:, :, None])[:, :, 0].astype(np.float32)


def fit_spread(ask: Callable[[Weights], Iterable[Sums]], features: int, penalty: float = PENALTY) -> Weights:
    """Weights after :data:`ROUNDS` rounds, the first from zero.

    Args:
        ask: the homes' sums at given weights, in an order that does not change.
        features: columns of the homes' design. penalty: per sample.
    """
    weights = np.zeros((3, features), np.float32)
    for _ in range(ROUNDS):
        weights = solve_spread(add(ask(weights)), penalty)
    return weights
