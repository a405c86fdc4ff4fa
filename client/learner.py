"""What a home learns, and what of it leaves the home: sums of its ridge base, an updated model, metrics.

torch is imported only by the handlers that need it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from client.features import HELD_OUT, TRAILING
from client.household import Household
from client.private import Private, load_private, save_private
from client.ridge import statistics
from client.store import OWN, SUMS, Arrays
from common.config import MODELS
from common.messages import Fit, Measure, WireError
from common.ridge import GATED_HEADS, PERSONAL_SUMS, RidgeWeights, personal

if TYPE_CHECKING:
    from client.training import TrainTask

Metrics = dict[str, float]
Floats = NDArray[np.float32]
_Sent = Mapping[str, Floats]

_ENOUGH_SLOTS = 2 * TRAILING + HELD_OUT
"""History from which on the last days are kept from the ridge."""


def base_statistics(home: Household, fit: Fit) -> Arrays:
    """Sums from which central solves the ridge base; they hold no row of data.

    Where a Transformer is weighed against it, the ridge does not see the days on which that happens, unless there are
    hardly others.
    """
    home.learns_before(fit.before_slot)
    history = home.history(fit.before_slot)
    weighed = home.config.forecaster == "hybrid" and len(history) >= _ENOUGH_SLOTS
    sums = statistics(home.forecaster.features(history), fit.before_slot - HELD_OUT * weighed)
    home.store.save_arrays(SUMS, {name: sums[name] for name in PERSONAL_SUMS})
    return dict(sums)


def train(home: Household, fit: Fit, arrays: _Sent, proximal_mu: float = 0.0) -> tuple[Arrays, Metrics]:
    """Renew the home's forecast with the model that came, then train it on the home's own data.

    Args:
        home: which trains.
        fit: what it may learn.
        arrays: the model that came: of personalisation ``head`` the trunk, which the home's own heads complete.
        proximal_mu: FedProx's pull towards it.

    Returns:
        The trained model, as much of it as is shared, and its metrics. The home itself keeps to the average of all
        homes: one home's own copy after a few steps forecasts worse.
    """
    from client.training import train_round
    from common.model import head_start, state_to_arrays

    began = time.monotonic()
    private = load_private(home.store, fit.turn)
    vector = _whole(home, arrays, private)
    _correct(home, fit, vector)
    config, history, spec = home.config, home.history(fit.before_slot), MODELS[home.config.model]
    features = home.forecaster.features(history)
    shared = head_start(spec) if config.personalisation == "head" else None
    task = _task(home, fit, config.local_steps, proximal_mu, shared)
    trained = train_round(vector, spec, history, features, home.forecaster.ridge, task, private.moments)
    own = Private(
        heads=None if shared is None else trained.vector[shared:],
        moments=(trained.moments or private.moments) if config.keep_moments else {},
    )
    save_private(home.store, fit.turn, own, config.checkpoint_every)
    metrics = {"num-examples": float(trained.examples), **trained.metrics, **_gate_metrics(trained.gate_sums)}
    return dict(state_to_arrays(trained.vector[:shared])), metrics | {"seconds": time.monotonic() - began}


def finetune(home: Household, fit: Fit, arrays: _Sent) -> Metrics:
    """Train a copy of the model that came for the home alone, keep it, and forecast with it from now on.

    Returns:
        Errors on the held-out days of the model that came (``shared_rmse``) and of the copy (``own_rmse``), and the
        sums from which central solves the gates of the copies.
    """
    from client.training import held_out, train_round

    config, history = home.config, home.history(fit.before_slot)
    features, spec = home.forecaster.features(history), MODELS[config.model]
    vector = _whole(home, arrays, Private())
    once = fit.model_copy(update={"round": 1, "rounds": 1})  # a learning-rate schedule of its own
    task = _task(home, once, config.finetune_steps, 0.0, None, purpose="-finetune")
    trained = train_round(vector, spec, history, features, home.forecaster.ridge, task)
    home.store.save_arrays(OWN, {"parameters": trained.vector})
    sums, errors = held_out(trained.vector, spec, history, features, home.forecaster.ridge, fit.before_slot)
    metrics = {"shared_rmse": trained.metrics["model_rmse"], "own_rmse": errors["model_rmse"]}
    return {"num-examples": float(trained.examples), **metrics, **_gate_metrics(sums)}


def measure(home: Household, request: Measure, arrays: _Sent) -> Metrics:
    """Errors of what the home would forecast with, on days that nothing was learnt from."""
    from client.measuring import measured_errors

    vector = _own(home)
    if vector is None:
        vector = _whole(home, arrays, load_private(home.store, request.turn))
    gates = dict(zip(GATED_HEADS, request.gates, strict=False))
    history, spec = home.history(request.end_slot), MODELS[home.config.model]
    return measured_errors(
        vector, spec, history, home.forecaster.ridge, request.before_slot, day_gate=gates.get("day", 0.0)
    )


def correct(home: Household, fit: Fit, arrays: _Sent) -> None:
    """Renew what the Transformer adds to the home's base forecast; nothing where no gate is open.

    A home that trained a copy of its own forecasts with that.
    """
    own = _own(home)
    _correct(home, fit, _whole(home, arrays, load_private(home.store, fit.turn)) if own is None else own)


def take_base(home: Household, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Take the weights of the ridge base that central solved, moved as far as the home's own data supports."""
    weights, own = RidgeWeights.from_arrays(arrays), home.store.load_arrays(SUMS)
    home.set_base(weights if own is None else personal(weights, own))


def take_heads(home: Household, arrays: _Sent) -> None:
    """Take the heads that the home's own begin from (personalisation ``head``, where the run starts from a model)."""
    from common.model import arrays_to_state

    save_private(home.store, 0, Private(heads=arrays_to_state(arrays)), home.config.checkpoint_every)


def _correct(home: Household, fit: Fit, vector: Floats) -> None:
    from client.training import correct as corrected

    if not any(fit.gates):
        home.set_correction(None)
        return
    if len(fit.gates) != len(GATED_HEADS):
        raise WireError(f"Fit.gates: expected {len(GATED_HEADS)} shares, got {len(fit.gates)}")
    history = home.history(fit.before_slot)
    features = home.forecaster.features(history)
    gates = dict(zip(GATED_HEADS, fit.gates, strict=True))
    home.set_correction(corrected(vector, MODELS[home.config.model], history, features, home.forecaster.ridge, gates))


def _whole(home: Household, arrays: _Sent, private: Private) -> Floats:
    """The home's whole model: what came, and under personalisation ``head`` the home's own heads after it.

    A home that has none yet takes those of a new model.
    """
    from common.model import arrays_to_state, head_start, initial_vector

    shared = arrays_to_state(arrays)
    if home.config.personalisation != "head":
        return shared
    spec, heads = MODELS[home.config.model], private.heads
    if heads is None:
        heads = initial_vector(spec, home.config.seed)[head_start(spec) :]
    return np.concatenate([shared, heads])


def _own(home: Household) -> Floats | None:
    """The copy that the home trained for itself alone, if there is one."""
    stored = home.store.load_arrays(OWN)
    return None if stored is None else stored["parameters"]


def _task(
    home: Household, fit: Fit, steps: int, proximal_mu: float, shared: int | None, purpose: str = ""
) -> TrainTask:
    """What a home is to do; ``purpose`` gives it another random stream."""
    from client.training import TrainTask

    config = home.config
    return TrainTask(
        before_slot=fit.before_slot,
        round=fit.round,
        rounds=fit.rounds,
        local_steps=steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=config.seed,
        home_id=home.home_id + purpose,
        proximal_mu=proximal_mu,
        shared=shared,
    )


def _gate_metrics(sums: Mapping[str, NDArray[np.float64]]) -> Metrics:
    metrics: Metrics = {}
    for head, (product, square) in sums.items():
        metrics |= {f"gate-{head}-product": float(product), f"gate-{head}-square": float(square)}
    return metrics
