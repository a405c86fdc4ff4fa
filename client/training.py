"""Training of the Transformer at home: a few steps on the home's own days, from the model that came."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from client.batches import Batch, join, make_batch
from client.device import compute_device, device_of, mixed_precision
from client.features import DAY, HELD_OUT, TRAILING, WEEK, HomeFeatures
from client.forecaster import Correction
from client.gating import Sums, judge
from client.gating import correct as corrected
from client.history import History
from client.moments import Proximal, load_moments, read_moments
from common.config import ModelSpec
from common.metrics import QUANTILES
from common.model import Heads, Transformer, load_model, to_vector
from common.ridge import RidgeWeights

_WEIGHT_DECAY, _BETAS, _CLIP_NORM, _WARM_STEPS = 0.05, (0.9, 0.95), 1.0, 20
_PINBALL_WEIGHT, _PV_WEIGHT, _WEEK_WEIGHT, _MONTH_WEIGHT = 3.0, 2.0, 0.2, 0.1


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
            home's scale, ``base_rmse`` of the base and ``model_rmse`` of the model alone, of the day's load.
        moments: of the optimiser after the last step (:mod:`client.moments`); empty without a step.
    """

    vector: NDArray[np.float32]
    examples: int
    gate_sums: Sums
    metrics: dict[str, float]
    moments: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch and BLAS on one thread: sums split over threads differ in their last bits."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


@dataclass(frozen=True)
class Source:
    """Days to learn from: a home's history, its causal arrays, and the row after its last target."""

    history: History
    features: HomeFeatures
    limit: int

    def days(self, context: int) -> int:
        """Tokens of a sequence: the context, or as many days as there are."""
        return min(context, (self.limit - TRAILING) // DAY - 1)


def train_round(
    vector: NDArray[np.float32],
    spec: ModelSpec,
    history: History,
    features: HomeFeatures,
    ridge: RidgeWeights | None,
    task: TrainTask,
    moments: Mapping[str, NDArray[np.float32]] | None = None,
) -> Trained:
    """Judge the global model ``vector`` on the held-out days of one home, then train it there for some steps.

    The gates are for the model that came, not for the one that leaves: what a home corrects its forecasts with is the
    average of all homes, and one home's own copy after a few steps is worse than it.

    Args:
        vector: global parameters.
        spec: size of the model.
        history: the home as known at a gate; ``features`` are its causal arrays.
        ridge: weights of the linear base, which the gates weigh the model against.
        task: what to do.
        moments: of the optimiser from an earlier round; none to start afresh.
    """
    with one_thread():
        model = load_model(spec, vector).to(compute_device())
        end = min(task.before_slot, features.end) - features.first_slot
        rng = np.random.default_rng(np.random.SeedSequence([task.seed, crc32(task.home_id.encode()), task.round]))
        gate_sums, metrics = judge(model.eval(), history, features, ridge, end)
        optimiser = make_optimiser(model, task.learning_rate)
        if moments:
            load_moments(optimiser, moments)
        losses, examples = descend(model, optimiser, [Source(history, features, end - HELD_OUT)], task, rng)
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
) -> tuple[Sums, dict[str, float]]:
    """Sums for the gates and errors of a model on a home's held-out days, as in :class:`Trained`."""
    with one_thread():
        end = min(before_slot, features.end) - features.first_slot
        return judge(load_model(spec, vector).to(compute_device()).eval(), history, features, ridge, end)


def correct(
    vector: NDArray[np.float32],
    spec: ModelSpec,
    history: History,
    features: HomeFeatures,
    ridge: RidgeWeights | None,
    gates: Mapping[str, float],
) -> Correction:
    """:func:`client.gating.correct` with the model of ``vector``."""
    with one_thread():
        model = load_model(spec, vector).to(compute_device()).eval()
        return corrected(model, history, features, ridge, gates)


def make_optimiser(model: Transformer, learning_rate: float) -> torch.optim.AdamW:
    """AdamW as all training here uses it."""
    return torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=_WEIGHT_DECAY, betas=_BETAS, fused=True)


def descend(
    model: Transformer,
    optimiser: torch.optim.AdamW,
    sources: Sequence[Source],
    task: TrainTask,
    rng: np.random.Generator,
) -> tuple[list[float], int]:
    """Take the round's steps on one home, or on several whose data lies together; losses and origins used.

    Each sequence is of one of the sources, drawn evenly; all have the length that the shortest history allows.
    """
    days = min(source.days(model.spec.context_days) for source in sources)
    if days < 1:
        return [], 0
    proximal = Proximal(model, task.proximal_mu, task.shared)
    losses = []
    model.train()
    for step in range(task.local_steps):
        batch = draw(sources, task.batch_size, days, rng).to(device_of(model))
        for group in optimiser.param_groups:
            group["lr"] = task.learning_rate * _schedule(
                (task.round - 1) * task.local_steps + step, task.rounds * task.local_steps
            )
        optimiser.zero_grad(set_to_none=True)
        loss = training_loss(model, batch)
        (loss + proximal()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP_NORM)
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses, task.local_steps * task.batch_size * days


def draw(sources: Sequence[Source], size: int, days: int, rng: np.random.Generator) -> Batch:
    """Sequences that end anywhere, with targets before their source's limit."""
    counts = np.bincount(rng.integers(len(sources), size=size), minlength=len(sources)) if len(sources) > 1 else [size]
    parts = []
    for source, count in zip(sources, counts, strict=True):
        if not count:
            continue
        latest = source.limit - DAY * days  # the last origin has a whole day of targets
        starts = rng.integers(TRAILING, latest + 1, count)
        starts -= (starts + source.features.first_slot) % source.history.resolution_slots  # whole intervals
        rows = np.maximum(starts, TRAILING)[:, None] + DAY * np.arange(days)  # (count, T)
        parts.append(make_batch(source.history, source.features, rows, source.limit, rng))
    return join(parts)


def _schedule(step: int, steps: int) -> float:
    """Share of the learning rate: a short linear start, then a cosine to zero over all rounds."""
    warm = min(_WARM_STEPS, steps // 5)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min((step - warm) / max(steps - warm, 1), 1.0)))


def forecast_heads(model: Transformer, batch: Batch) -> Heads:
    """What the model says of a batch, float32."""
    with mixed_precision(batch.past.device):
        heads = model(batch.past, batch.future)
    return Heads(*(head.float() for head in heads))


def training_loss(model: Transformer, batch: Batch) -> Tensor:
    """Mean square and pinball losses of all heads, each over the targets that are known."""
    heads = forecast_heads(model, batch)
    day, week = batch.load[:, :, :DAY], batch.load[:, :, :WEEK]
    day_known, week_known = batch.load_known[:, :, :DAY], batch.load_known[:, :, :WEEK]
    loss = _mean((heads.day[..., 0] - day) ** 2, day_known)
    for index, level in enumerate(QUANTILES):
        error = day - batch.spread[..., index] - heads.day[..., 1 + index]
        loss = loss + _PINBALL_WEIGHT * _mean(torch.maximum(level * error, (level - 1) * error), day_known)
    loss = loss + _PV_WEIGHT * _mean((heads.pv - batch.pv) ** 2, batch.pv_known)
    error = heads.week - week[..., None]  # (B, T, 336, 2)
    loss = loss + _WEEK_WEIGHT * _mean(error[..., 0] ** 2 + error[..., 1].abs(), week_known)
    return loss + _MONTH_WEIGHT * _mean((heads.month - batch.load) ** 2, batch.load_known)


def _mean(error: Tensor, known: Tensor) -> Tensor:
    return (error * known).sum() / known.sum().clamp(min=1.0)
