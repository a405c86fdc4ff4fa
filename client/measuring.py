"""How well a frozen model forecasts days that nothing was learnt from."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from client.batches import make_batch
from client.features import DAY, TRAILING, HomeFeatures
from client.history import History
from client.training import forecast_heads, one_thread
from common.config import ModelSpec
from common.model import load_model
from common.ridge import RidgeWeights

_SEQUENCES = 8
"""Sequences that go through the model at once."""


@torch.no_grad()
def measured_errors(
    vector: NDArray[np.float32],
    spec: ModelSpec,
    history: History,
    ridge: RidgeWeights | None,
    first_slot: int,
    day_gate: float,
) -> dict[str, float]:
    """Errors of the next day's load, forecast once a day from ``first_slot`` to the end of what is known.

    Each forecast sees what was metered before it, as a home does; the base's weights and the model stay as they are.

    Args:
        vector, spec: the model.
        history: of the home, up to the end of the test days.
        ridge: weights of the base, fitted on what lies before ``first_slot``.
        first_slot: origin of the first forecast.
        day_gate: share of the model's residual that is added, 0..1.

    Returns:
        ``test_days``, and in units of the home's scale ``test_base_rmse``, ``test_hybrid_rmse`` (gated) and
        ``test_model_rmse`` (ungated); no errors without a whole test day.
    """
    with one_thread():
        model, features = load_model(spec, vector).eval(), HomeFeatures(history)
        end = len(history)
        last = np.arange(max(first_slot - history.first_slot, TRAILING), end - DAY + 1, DAY)  # (days,)
        sums, count = np.zeros(3), 0.0
        for part in np.array_split(last, -(-len(last) // _SEQUENCES)) if len(last) else []:
            days = max(1, min(spec.context_days, (int(part[0]) - TRAILING) // DAY + 1))
            rows = part[:, None] - DAY * np.arange(days - 1, -1, -1)  # (B, T); the last token is the forecast's origin
            batch = make_batch(history, features, ridge, rows, end)
            residual, known = batch.load[:, -1, :DAY], batch.load_known[:, -1, :DAY]
            said = forecast_heads(model, batch).day[:, -1, :, 0]
            for i, error in enumerate((residual, residual - day_gate * said, residual - said)):
                sums[i] += float((error**2 * known).sum())
            count += float(known.sum())
        names = ("test_base_rmse", "test_hybrid_rmse", "test_model_rmse")
        errors = {name: math.sqrt(total / count) for name, total in zip(names, sums, strict=True)} if count else {}
        return {"test_days": float(len(last)), **errors}
