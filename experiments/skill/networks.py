"""The Transformer's three ways to learn with equal compute: by federation, each home alone, all data in one place.

A job runs in a process of its own, so that several cores train several models; it gets what it needs by value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.private import load_private
from client.store import OWN, HomeStore
from common.clock import local_of
from common.config import MODELS, RunConfig
from common.tariff import load_tariff
from experiments.side_by_side import Tell
from experiments.skill.homes import Forecast, Home, Index, open_homes
from experiments.skill.split import Split

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Job:
    """What a training process is to do.

    Attributes:
        training: ``federated``, ``local`` or ``centralised``.
        config: of the run: homes' folders, model, rounds, steps, rates, seed, ``init``.
        split: nothing of ``validation`` or later is learnt.
        out: folder for what the job writes; a federated one goes on from the checkpoint that lies there.
        home_ids: all homes.
        home_id: of ``local``.
    """

    training: str
    config: RunConfig
    split: Split
    out: Path
    home_ids: tuple[str, ...]
    home_id: str = ""

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        homes = 1 if self.training == "local" else self.config.homes
        return homes * self.config.rounds * self.config.local_steps


def train(job: Job, tell: Tell) -> dict[str, Vector]:
    """Do a job; the parameters that each home forecasts with, by id; homes that share a model share the array."""
    if job.training == "federated":
        return _federated(job, tell)
    vector = _pooled(job, tell)
    return dict.fromkeys([job.home_id] if job.home_id else job.home_ids, vector)


def _federated(job: Job, tell: Tell) -> dict[str, Vector]:
    """As ``simulation.py train`` does it: the same messages, strategy and clients, over the in-process grid."""
    import logging

    from client.app import app as client_app
    from common.events import EventLog
    from server.checkpoint import CHECKPOINTS, MODEL, load_checkpoint, read_vector
    from server.local_grid import LocalGrid, new_run_id
    from server.training_run import run_training

    logging.getLogger("flwr").setLevel(logging.ERROR)
    per_round = job.config.homes * job.config.local_steps
    job.out.mkdir(parents=True, exist_ok=True)
    checkpoint = load_checkpoint(job.out) if any((job.out / CHECKPOINTS).glob("round-*")) else None
    if checkpoint is not None:
        tell(per_round * checkpoint.round)
    events = EventLog(job.out / "events.jsonl", lambda event: tell(per_round) if event["event"] == "round" else None)
    try:
        run_id = new_run_id() if checkpoint is None else checkpoint.run_id
        grid = LocalGrid(client_app, job.config.homes, job.config.flat(), run_id=run_id)
        run_training(grid, job.config, job.out, events, run_id, checkpoint)
    finally:
        events.close()
    return _of_homes(job, str(run_id), read_vector(job.out / MODEL))


def _of_homes(job: Job, run_id: str, shared: Vector) -> dict[str, Vector]:
    """What each home forecasts with: the shared model, or what personalisation left on its own disk.

    In a simulation one person owns all the folders; central never sees these.
    """
    from common.model import initial_vector

    if job.config.personalisation == "none":
        return dict.fromkeys(job.home_ids, shared)
    found = {}
    for home_id in job.home_ids:
        store = HomeStore(Path(job.config.homes_dir) / home_id, run_id)
        if job.config.personalisation == "finetune":
            own = store.load_arrays(OWN)
            found[home_id] = shared if own is None else own["parameters"]
        else:
            heads = load_private(store, job.config.rounds + 1).heads
            if heads is None:  # of a home that took part in no round
                heads = initial_vector(MODELS[job.config.model], job.config.seed)[shared.size :]
            found[home_id] = np.concatenate([shared, heads])
    return found


def _pooled(job: Job, tell: Tell) -> Vector:
    """All homes' days in one place, or one home's."""
    from client.device import compute_device
    from client.features import HELD_OUT
    from client.training import Source, TrainTask, descend, make_optimiser, one_thread
    from common.model import load_model, to_vector

    config, split = job.config, job.split
    homes = _learners(Path(config.homes_dir), config.tariff, split.validation)
    if job.home_id:
        homes = [home for home in homes if home.home_id == job.home_id]
    sources = [
        Source(home.history, home.features, split.validation - home.features.first_slot - HELD_OUT) for home in homes
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


@lru_cache(maxsize=1)
def _learners(root: Path, tariff: str, end_slot: int) -> list[Home]:
    """What the homes know to learn from; a process that trains one home after the other opens them once."""
    return open_homes(root, load_tariff(tariff), end_slot)


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
    own = replace(learning(config, split, len(home_ids)), checkpoint_every=config.rounds)
    trainings = ("federated", "centralised", "local")
    return [job for training in trainings for job in jobs_of(training, own, split, home_ids, out / training)]


def jobs_of(training: str, config: RunConfig, split: Split, home_ids: Sequence[str], out: Path) -> list[Job]:
    """The jobs of one way to learn: one, or for ``local`` one for each home; ``config`` is of :func:`learning`."""
    alone = home_ids if training == "local" else ("",)
    return [Job(training, config, split, out, tuple(home_ids), home_id) for home_id in alone]


def learning(config: RunConfig, split: Split, homes: int) -> RunConfig:
    """Options of a training run on so many homes that learns before the validation span."""
    first_kept_out = f"{local_of(split.validation):%Y-%m-%d}"
    return replace(config, mode="train", homes=homes, date=first_kept_out, homes_per_node=1)
