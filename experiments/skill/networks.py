"""The Transformer's three ways to learn with equal compute: by federation, each home alone, all data in one place.

A job runs in a process of its own, so that several cores train several models; it gets what it needs by value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.clock import local_of
from common.config import MODELS, RunConfig
from common.errors import UserError
from common.tariff import load_tariff
from experiments.skill.homes import Forecast, Home, Index, open_homes
from experiments.skill.split import Split

Vector = NDArray[np.float32]


class Tell(Protocol):
    """Told how training goes."""

    def __call__(self, steps: int) -> None:
        """So many more steps are done."""


@dataclass(frozen=True)
class Job:
    """What a training process is to do.

    Attributes:
        training: ``federated``, ``local`` or ``centralised``.
        config: of the run: homes' folders, model, rounds, steps, rates, seed, ``init``.
        split: nothing of ``validation`` or later is learnt.
        out: folder for what the job writes.
        home_id: of ``local``.
    """

    training: str
    config: RunConfig
    split: Split
    out: Path
    home_id: str = ""

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        homes = 1 if self.training == "local" else self.config.homes
        return homes * self.config.rounds * self.config.local_steps


def train(job: Job, tell: Tell) -> Vector:
    """Do a job; the parameters that it came to."""
    return _federated(job, tell) if job.training == "federated" else _pooled(job, tell)


def _federated(job: Job, tell: Tell) -> Vector:
    """As ``simulation.py train`` does it: the same messages, strategy and clients, over the in-process grid."""
    import logging

    from client.app import app as client_app
    from common.events import EventLog
    from server.checkpoint import MODEL, read_vector
    from server.local_grid import LocalGrid, new_run_id
    from server.training_run import run_training

    logging.getLogger("flwr").setLevel(logging.ERROR)
    per_round = job.config.homes * job.config.local_steps
    job.out.mkdir(parents=True, exist_ok=True)
    events = EventLog(job.out / "events.jsonl", lambda event: tell(per_round) if event["event"] == "round" else None)
    try:
        run_id = new_run_id()
        grid = LocalGrid(client_app, job.config.homes, job.config.flat(), run_id=run_id)
        run_training(grid, job.config, job.out, events, run_id)
    finally:
        events.close()
    return read_vector(job.out / MODEL)


def _pooled(job: Job, tell: Tell) -> Vector:
    """All homes' days in one place, or one home's."""
    from client.device import compute_device
    from client.gating import VALIDATION
    from client.training import Source, TrainTask, descend, make_optimiser, one_thread
    from common.model import load_model, to_vector

    config, split = job.config, job.split
    homes = open_homes(Path(config.homes_dir), load_tariff(config.tariff), split.validation)
    if job.home_id:
        homes = [home for home in homes if home.home_id == job.home_id]
    sources = [
        Source(home.history, home.features, split.validation - home.features.first_slot - VALIDATION) for home in homes
    ]
    with one_thread():
        model = load_model(MODELS[config.model], start_vector(config)).to(compute_device())
        optimiser = make_optimiser(model, config.learning_rate)
        rounds = job.steps // config.local_steps
        for number in range(1, rounds + 1):
            task = TrainTask(
                before_slot=split.validation, round=number, rounds=rounds, local_steps=config.local_steps,
                batch_size=config.batch_size, learning_rate=config.learning_rate, seed=config.seed, home_id=job.home_id,
            )  # fmt: skip
            seed = np.random.SeedSequence([config.seed, number, *job.home_id.encode()])
            descend(model, optimiser, sources, task, np.random.default_rng(seed))
            tell(config.local_steps)
        return to_vector(model)


def start_vector(config: RunConfig) -> Vector:
    """The model that all of them start from."""
    from common.model import arrays_to_state
    from server.checkpoint import initial_model

    return arrays_to_state({name: array.numpy() for name, array in initial_model(config).shared.items()})


def forecast(home: Home, rows: Index, vector: Vector, model: str) -> Forecast:
    """What a trained Transformer says by itself."""
    from client.device import compute_device
    from client.hindcast import hindcast
    from client.training import one_thread
    from common.model import load_model

    with one_thread():
        network = load_model(MODELS[model], vector).to(compute_device()).eval()
        said = hindcast(network, home.history, home.features, rows)
    return Forecast(said.load_wh, said.pv_wh, said.load_quantiles_wh)


def jobs(config: RunConfig, split: Split, home_ids: Sequence[str], out: Path) -> list[Job]:
    """One federated, one centralised, and one for each home by itself; the longest first."""
    if not config.homes_dir:
        raise UserError("homes-dir is missing")
    first_kept_out = f"{local_of(split.validation):%Y-%m-%d}"
    own = replace(
        config, mode="train", homes=len(home_ids), date=first_kept_out, checkpoint_every=config.rounds, homes_per_node=1
    )
    shared = [Job(training, own, split, out / training) for training in ("federated", "centralised")]
    return shared + [Job("local", own, split, out / "local", home_id) for home_id in home_ids]
