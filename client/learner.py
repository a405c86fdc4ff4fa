"""What a home learns, and what of it leaves the home: sums of its ridge base, an updated model, metrics.

torch is imported only by the handlers that need it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from client.household import Household
from client.ridge import statistics
from client.store import Arrays
from common.config import MODELS
from common.messages import Fit, WireError
from common.ridge import GATED_HEADS, RidgeWeights

Metrics = dict[str, float]


def base_statistics(home: Household, fit: Fit) -> Arrays:
    """Sums from which central solves the ridge base; they hold no row of data."""
    history = home.history(fit.before_slot)
    return dict(statistics(home.forecaster.features(history), fit.before_slot))


def train(home: Household, fit: Fit, arrays: Mapping[str, NDArray[np.float32]]) -> tuple[Arrays, Metrics]:
    """Renew the home's forecast with the model that came, then train it on the home's own data.

    Returns:
        The trained model and its metrics. The home itself keeps to the average of all homes: one home's own copy
        after a few steps forecasts worse.
    """
    from client.training import TrainTask, train_round
    from common.model import arrays_to_state, state_to_arrays

    correct(home, fit, arrays)
    config, history = home.config, home.history(fit.before_slot)
    features = home.forecaster.features(history)
    task = TrainTask(
        before_slot=fit.before_slot,
        round=fit.round,
        rounds=fit.rounds,
        local_steps=config.local_steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=config.seed,
        home_id=home.home_id,
    )
    trained = train_round(arrays_to_state(arrays), MODELS[config.model], history, features, home.forecaster.ridge, task)
    metrics = {"num-examples": float(trained.examples), **trained.metrics}
    for head, (product, square) in trained.gate_sums.items():
        metrics |= {f"gate-{head}-product": float(product), f"gate-{head}-square": float(square)}
    return dict(state_to_arrays(trained.vector)), metrics


def correct(home: Household, fit: Fit, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Renew what the Transformer adds to the home's base forecast; nothing where no gate is open."""
    from client.training import correct as corrected
    from common.model import arrays_to_state

    if not any(fit.gates):
        home.set_correction(None)
        return
    if len(fit.gates) != len(GATED_HEADS):
        raise WireError(f"Fit.gates: expected {len(GATED_HEADS)} shares, got {len(fit.gates)}")
    history = home.history(fit.before_slot)
    features = home.forecaster.features(history)
    gates = dict(zip(GATED_HEADS, fit.gates, strict=True))
    vector = arrays_to_state(arrays)
    home.set_correction(corrected(vector, MODELS[home.config.model], history, features, home.forecaster.ridge, gates))


def take_base(home: Household, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Take the weights of the ridge base that central solved."""
    home.set_base(RidgeWeights.from_arrays(arrays))
