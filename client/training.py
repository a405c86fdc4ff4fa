"""Local training of the Transformer in a FedAvg round, its gate on held-out days, and its correction of the base.

All of it runs on one thread and draws from a random stream of (seed, home, round), so a round's result is the same
whatever the number of worker processes.  This module imports torch; market messages do without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from client.batches import Batch, make_batch
from client.features import DAY, TRAILING, WEEK, HomeFeatures, Index
from client.forecaster import HORIZON, Correction
from client.history import History
from client.moments import Proximal, load_moments, read_moments
from client.ridge import load_base, pv_base
from client.tokens import make_tokens
from common.config import ModelSpec
from common.model import QUANTILES, Heads, Transformer, load_model, to_vector
from common.ridge import GATED_HEADS, RidgeWeights

VALIDATION = 14 * DAY
"""Slots at the end of the history that are never trained on: the gates are fitted there."""

CORRECTION_SLOTS = HORIZON + 12
"""Slots that a correction covers: a horizon from any quote before the next round."""

_AGES = (0, 2, 4)
"""Slots since a correction was made at which it is still used; the gates are fitted for these."""

_WEIGHT_DECAY, _BETAS, _CLIP_NORM, _WARM_STEPS = 0.05, (0.9, 0.95), 1.0, 20
_PV_WEIGHT, _WEEK_WEIGHT, _MONTH_WEIGHT = 4.0, 0.3, 0.1


@dataclass(frozen=True)
class TrainTask:
    """One home's part in a round.

    Attributes:
        before_slot: nothing of this slot or later may be learnt.
        round, rounds: number of the round from 1, and the rounds that the learning-rate schedule spans.
        local_steps, batch_size, learning_rate: of the optimiser.
        seed: of the run. home_id: gives the home its own random stream.
        proximal_mu: pull towards the model that came (FedProx); shared: leading parameters that it pulls, None for all.
    """

    before_slot: int
    round: int
    rounds: int
    local_steps: int
    batch_size: int
    learning_rate: float
    seed: int
    home_id: str
    proximal_mu: float = 0.0
    shared: int | None = None


@dataclass(frozen=True)
class Trained:
    """Outcome of a home's training.

    Attributes:
        vector: parameters, flat float32 (see :mod:`common.model`).
        examples: forecast origins trained on; 0 where the history is too short, then the vector is as it came.
        gate_sums: for each head ``[<r, f>, <f, f>]``, float64, for :func:`common.ridge.solve_gates`.
        metrics: ``loss``, mean over the last steps; and of the model that came, on the held-out days, in units of the
            home's scale, ``base_rmse`` and ``hybrid_rmse`` of the day's load, ungated.
        moments: of the optimiser after the last step (:mod:`client.moments`); empty without a step.
    """

    vector: NDArray[np.float32]
    examples: int
    gate_sums: dict[str, NDArray[np.float64]]
    metrics: dict[str, float]
    moments: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch and BLAS on one thread: sums split over threads differ in their last bits."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


def train_round(
    vector: NDArray[np.float32],
    spec: ModelSpec,
    history: History,
    features: HomeFeatures,
    ridge: RidgeWeights | None,
    task: TrainTask,
    moments: Mapping[str, NDArray[np.float32]] | None = None,
) -> Trained:
    """Evaluate the global model ``vector`` on the held-out days of one home, then train it there for some steps.

    The gates are for the model that came, not for the one that leaves: what a home corrects its forecasts with is the
    average of all homes, and one home's own copy after a few steps is worse than it.

    Args:
        vector: global parameters.
        spec: size of the model.
        history: the home as known at a gate; ``features`` are its causal arrays.
        ridge: weights of the linear base.
        task: what to do.
        moments: of the optimiser from an earlier round; none to start afresh.
    """
    with one_thread():
        model = load_model(spec, vector)
        end = min(task.before_slot, features.end) - features.first_slot
        rng = np.random.default_rng(np.random.SeedSequence([task.seed, crc32(task.home_id.encode()), task.round]))
        gate_sums, metrics = _validate(model, history, features, ridge, end)
        optimiser = torch.optim.AdamW(
            model.parameters(), lr=task.learning_rate, weight_decay=_WEIGHT_DECAY, betas=_BETAS, fused=True
        )
        if moments:
            load_moments(optimiser, moments)
        losses, examples = _descend(model, optimiser, history, features, ridge, task, rng, end - VALIDATION)
        metrics["loss"] = float(np.mean(losses[-4:])) if losses else 0.0
        if not losses:
            return Trained(vector, examples, gate_sums, metrics)
        return Trained(to_vector(model), examples, gate_sums, metrics, read_moments(optimiser))


def held_out(
    vector: NDArray[np.float32],
    spec: ModelSpec,
    history: History,
    features: HomeFeatures,
    ridge: RidgeWeights | None,
    before_slot: int,
) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """Sums for the gates and errors of a model on a home's held-out days, as in :class:`Trained`."""
    with one_thread():
        end = min(before_slot, features.end) - features.first_slot
        return _validate(load_model(spec, vector), history, features, ridge, end)


def _descend(
    model: Transformer,
    optimiser: torch.optim.AdamW,
    history: History,
    features: HomeFeatures,
    ridge: RidgeWeights | None,
    task: TrainTask,
    rng: np.random.Generator,
    limit: int,
) -> tuple[list[float], int]:
    """Take the round's steps on targets before row ``limit``; losses and the number of origins used."""
    days = min(model.spec.context_days, (limit - TRAILING) // DAY - 1)
    if days < 1:
        return [], 0
    latest = limit - DAY * days  # the last origin of a sequence has a whole day of targets before the limit
    proximal = Proximal(model, task.proximal_mu, task.shared)
    losses = []
    model.train()
    for step in range(task.local_steps):
        starts = rng.integers(TRAILING, latest + 1, task.batch_size)
        starts -= (starts + features.first_slot) % history.resolution_slots  # whole metered intervals only
        rows = np.maximum(starts, TRAILING)[:, None] + DAY * np.arange(days)  # (B, T)
        batch = make_batch(history, features, ridge, rows, limit, rng)
        for group in optimiser.param_groups:
            group["lr"] = task.learning_rate * _schedule(
                (task.round - 1) * task.local_steps + step, task.rounds * task.local_steps
            )
        optimiser.zero_grad(set_to_none=True)
        loss = _loss(forecast_heads(model, batch), batch)
        (loss + proximal()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP_NORM)
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses, task.local_steps * task.batch_size * days


def _schedule(step: int, steps: int) -> float:
    """Share of the learning rate: a short linear start, then a cosine to zero over all rounds."""
    warm = min(_WARM_STEPS, steps // 5)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min((step - warm) / max(steps - warm, 1), 1.0)))


def forecast_heads(model: Transformer, batch: Batch) -> Heads:
    """What the model says of a batch, float32."""
    with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
        heads = model(batch.past, batch.future)
    return Heads(*(head.float() for head in heads))


def fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware: a step of the full model then takes two thirds of the time."""
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported is not None and supported())


def _loss(heads: Heads, batch: Batch) -> Tensor:
    """Mean square and pinball losses of all heads, each over the targets that are known."""
    day, week = batch.load[:, :, :DAY], batch.load[:, :, :WEEK]
    day_known, week_known = batch.load_known[:, :, :DAY], batch.load_known[:, :, :WEEK]
    loss = _mean((heads.day[..., 0] - day) ** 2, day_known)
    for index, level in enumerate(QUANTILES, start=1):
        error = day - heads.day[..., index]
        loss = loss + _mean(torch.maximum(level * error, (level - 1) * error), day_known)
    loss = loss + _PV_WEIGHT * _mean((heads.pv - batch.pv) ** 2, batch.pv_known)
    error = heads.week - week[..., None]  # (B, T, 336, 2)
    loss = loss + _WEEK_WEIGHT * _mean(error[..., 0] ** 2 + error[..., 1].abs(), week_known)
    return loss + _MONTH_WEIGHT * _mean((heads.month - batch.load) ** 2, batch.load_known)


def _mean(error: Tensor, known: Tensor) -> Tensor:
    return (error * known).sum() / known.sum().clamp(min=1.0)


@torch.no_grad()
def _validate(
    model: Transformer, history: History, features: HomeFeatures, ridge: RidgeWeights | None, end: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """Sums for the gates, and errors, on the held-out days: sequences that end a day before row ``end``."""
    model.eval()
    sums = {head: np.zeros(2) for head in GATED_HEADS}
    days = min(model.spec.context_days, (end - TRAILING) // DAY - 1)
    if days < 1:
        return sums, {"base_rmse": 0.0, "hybrid_rmse": 0.0}
    last = end - DAY - np.array([0, 16, 32])  # three times of day; even, so on whole hours if the end is
    rows = last[:, None] - DAY * np.arange(days - 1, -1, -1)  # (3, T)
    rows = rows[rows[:, 0] >= TRAILING]
    batch = make_batch(history, features, ridge, rows, end)
    heads = forecast_heads(model, batch)
    held_out = torch.from_numpy(rows >= end - VALIDATION)[..., None]  # (3, T, 1)
    known, pv_known = batch.load_known * held_out, batch.pv_known * held_out
    _add(sums, "week", batch.load[..., DAY:WEEK], heads.week[..., DAY:, 0], known[..., DAY:WEEK])
    _add(sums, "month", batch.load[..., WEEK:], heads.month[..., WEEK:], known[..., WEEK:])
    for age in _AGES:
        load, pv = _residuals_at_age(features, ridge, rows, age)
        _add(sums, "day", load, heads.day[..., age:, 0], known[..., age:DAY])
        _add(sums, "pv", pv, heads.pv[..., age:], pv_known[..., age:])
    day, known = batch.load[..., :DAY], known[..., :DAY]
    count = float(known.sum().clamp(min=1.0))
    errors = {"base_rmse": day, "hybrid_rmse": day - heads.day[..., 0]}
    return sums, {name: math.sqrt(float((e**2 * known).sum()) / count) for name, e in errors.items()}


def _residuals_at_age(
    features: HomeFeatures, ridge: RidgeWeights | None, rows: Index, age: int
) -> tuple[Tensor, Tensor]:
    """Scaled residuals of the day when the base is made ``age`` slots after the correction; ``(B, T, 48 - age)``."""
    flat, horizon = rows.ravel(), DAY - age
    target = flat[:, None] + age + np.arange(horizon)  # (B T, 48 - age)
    load = features.load[target] - load_base(features, flat + age, horizon, ridge)
    pv = features.pv[target] - pv_base(features, flat + age, horizon, ridge)
    scaled = (load / features.scale_wh(flat)[:, None], pv / features.pv_scale_wh(flat)[:, None])
    first, second = (torch.from_numpy(values.reshape(*rows.shape, horizon)) for values in scaled)
    return first, second


def _add(sums: dict[str, NDArray[np.float64]], head: str, residual: Tensor, said: Tensor, known: Tensor) -> None:
    said = said.double() * known
    sums[head] = sums[head] + np.array([float((residual * said).sum()), float((said * said).sum())])


@torch.no_grad()
def correct(
    vector: NDArray[np.float32],
    spec: ModelSpec,
    history: History,
    features: HomeFeatures,
    ridge: RidgeWeights | None,
    gates: Mapping[str, float],
) -> Correction:
    """The Transformer's gated correction of the base, seen from the end of what is known.

    Args:
        vector, spec: the model. history, features, ridge: of the home.
        gates: share of each head, 0..1 (:func:`common.ridge.solve_gates`).
    """
    with one_thread():
        model = load_model(spec, vector).eval()
        end = features.end - features.first_slot
        days = min(spec.context_days, (end - TRAILING) // DAY + 1)
        rows = features.rows(features.end - DAY * np.arange(days - 1, -1, -1))[None]  # (1, T)
        tokens = make_tokens(history, features, rows[0], ridge)
        past = np.concatenate([tokens.past.reshape(days, -1), tokens.flags], axis=1)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
            heads = model(torch.from_numpy(past)[None], torch.from_numpy(tokens.future.reshape(1, days, -1)))
        day, week = heads.day[0, -1, :, 0].float().numpy(), heads.week[0, -1, :, 0].float().numpy()
        load = np.concatenate([gates["day"] * day, gates["week"] * week[DAY:CORRECTION_SLOTS]])
        pv = np.zeros(CORRECTION_SLOTS)
        pv[:DAY] = gates["pv"] * features.has_pv * heads.pv[0, -1].float().numpy()
        return Correction(
            first_slot=features.end,
            load_wh=(load * tokens.scale_wh[-1]).astype(np.float32),
            pv_wh=(pv * tokens.pv_scale_wh[-1]).astype(np.float32),
        )
