"""How well a frozen model forecasts days that nothing was learnt from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from client.device import compute_device
from client.features import DAY, TRAILING, HomeFeatures
from client.hindcast import hindcast
from client.history import History
from client.ridge import load_base
from client.training import one_thread
from common.config import ModelSpec
from common.model import load_model
from common.ridge import RidgeWeights


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
        day_gate: share of the way from the base to the model, 0..1.

    Returns:
        ``test_days``, and in units of the home's scale ``test_base_rmse``, ``test_hybrid_rmse`` (gated) and
        ``test_model_rmse`` (the model alone); no errors without a whole test day.
    """
    with one_thread():
        model, features = load_model(spec, vector).to(compute_device()).eval(), HomeFeatures(history)
        end = len(history)
        rows = np.arange(max(first_slot - history.first_slot, TRAILING), end - DAY + 1, DAY)
        days = {"test_days": float(len(rows))}
        rows = rows[features.alive(rows)]
        if not len(rows):
            return days
        base = load_base(features, rows, DAY, ridge)
        change = hindcast(model, history, features, rows).load_wh[:, :DAY] - base
        residual = features.load[rows[:, None] + np.arange(DAY)] - base
        scale = features.scale_wh(rows)[:, None]
        shares = {"test_base_rmse": 0.0, "test_hybrid_rmse": day_gate, "test_model_rmse": 1.0}
        errors = {name: (residual - share * change) / scale for name, share in shares.items()}
        return days | {name: math.sqrt(float(np.mean(error**2))) for name, error in errors.items()}
