"""One run with one seed: trained, scored, and its rows left in a folder of its own, complete or not at all.

What was cut off is done again by the same command: a federated run from its last checkpoint, local training from the
first home that it had not come to, centralised training from its beginning.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from client.node import forget_run
from common.config import RunConfig
from common.errors import UserError
from common.tariff import load_tariff
from experiments.side_by_side import Tell
from experiments.skill.benchmark import Benchmark, Ridges, add_baselines, add_networks, fit_ridges
from experiments.skill.homes import Home, open_homes
from experiments.skill.networks import Job, Vector, jobs_of, train
from experiments.skill.scoring import SkillRow
from experiments.skill.split import Split
from report.results import versions
from report.rows import iso_utc
from server.checkpoint import CHECKPOINTS, load_checkpoint
from server.training_run import ROUNDS

ROWS, _LOCAL = "rows.json", "local"
BASELINES = "baselines"
"""In place of a training: what needs none, and no seed."""


@dataclass(frozen=True)
class Place:
    """A community's prepared homes.

    Attributes:
        root: folder of the homes' folders. home_ids: theirs. split: of their days. data_hash: of their data.
    """

    root: Path
    home_ids: tuple[str, ...]
    split: Split
    data_hash: str


@dataclass(frozen=True)
class Unit:
    """A run with one seed, or a community's baselines.

    Attributes:
        name: of the run. training: see :class:`experiments.compare.grid.Run`, or :data:`BASELINES`.
        config: of the training; its seed is the unit's.
        folder: for what it leaves.
    """

    name: str
    training: str
    config: RunConfig
    place: Place
    folder: Path

    @property
    def steps(self) -> int:
        """Optimiser steps that are planned."""
        config = self.config
        return 0 if self.training == BASELINES else config.homes * config.rounds * config.local_steps

    @property
    def is_done(self) -> bool:
        """Whether its rows are there."""
        return (self.folder / ROWS).is_file()


class Finished(BaseModel):
    """What a unit came to.

    Attributes:
        rows: errors by model, target and horizon. shares: of the Transformer in the hybrid.
        seed: of the training; None for baselines.
        steps: optimiser steps that were taken in all homes together.
        train_seconds, score_seconds: wall time, of the last process alone where the unit was resumed.
        config, data_hash, versions, ended_utc: where it comes from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: list[SkillRow]
    shares: dict[str, dict[str, float]]
    seed: int | None
    steps: int
    train_seconds: float
    score_seconds: float
    config: dict[str, str | int | float | bool]
    data_hash: str
    versions: dict[str, str]
    ended_utc: str


def do(unit: Unit, tell: Tell) -> Finished:
    """Train and score, and write it down."""
    tell(0)
    unit.folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    vectors = {} if unit.training == BASELINES else _trained(unit, tell)
    trained = time.monotonic()
    homes, ridges = _opened(unit.place, unit.config.tariff)
    bench = Benchmark(homes, unit.place.split)
    if unit.training == BASELINES:
        add_baselines(bench, ridges)
    else:
        add_networks(bench, unit.training, vectors, ridges, unit.config.model)
    finished = Finished(
        rows=bench.rows,
        shares={name: {**share.load, "pv": share.pv, "quantiles": share.quantiles}
                for name, share in bench.shares.items()},
        seed=None if unit.training == BASELINES else unit.config.seed,
        steps=_steps_taken(unit),
        train_seconds=round(trained - began, 2), score_seconds=round(time.monotonic() - trained, 2),
        config=unit.config.published(), data_hash=unit.place.data_hash, versions=versions(),
        ended_utc=iso_utc(datetime.now(UTC)),
    )  # fmt: skip
    _replace(unit.folder / ROWS, lambda path: path.write_text(_json(finished), encoding="utf-8"))
    _tidy(unit)
    return finished


def read_finished(unit: Unit) -> Finished:
    """What a unit left.

    Raises:
        UserError: it cannot be read, or comes from other data.
    """
    path = unit.folder / ROWS
    try:
        finished = Finished.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        raise UserError(f"{path}: cannot be read; delete it, and the run is done again") from None
    if finished.data_hash != unit.place.data_hash:
        raise UserError(f"{path}: comes from other data than the homes under {unit.place.root}; use another --out")
    return finished


def _trained(unit: Unit, tell: Tell) -> dict[str, Vector]:
    vectors: dict[str, Vector] = {}
    for job in jobs_of(unit.training, unit.config, unit.place.split, unit.place.home_ids, unit.folder):
        vectors |= train(job, tell) if unit.training != "local" else {job.home_id: _kept(job, tell)}
    return vectors


def _kept(job: Job, tell: Tell) -> Vector:
    """One home's own model; it is kept until the others are there."""
    path = job.out / _LOCAL / f"{job.home_id}.npy"
    if path.is_file():
        tell(job.steps)
        return np.asarray(np.load(path), np.float32)
    vector = train(job, tell)[job.home_id]
    path.parent.mkdir(exist_ok=True)

    def save(draft: Path) -> None:
        with draft.open("wb") as file:
            np.save(file, vector, allow_pickle=False)

    _replace(path, save)
    return vector


@lru_cache(maxsize=1)
def _opened(place: Place, tariff: str) -> tuple[list[Home], Ridges]:
    """Homes and their linear weights; a process scores one community after the other."""
    homes = open_homes(place.root, load_tariff(tariff), place.split.end)
    return homes, fit_ridges(homes, place.split)


def _steps_taken(unit: Unit) -> int:
    """Of federated training those of the homes that took part: drawing and dropping out leave fewer than planned."""
    if unit.training != "federated":
        return unit.steps
    lines = (unit.folder / ROUNDS).read_text(encoding="utf-8").splitlines()
    part = sum(bool(json.loads(line)["took_part"]) for line in lines)
    own = unit.config.homes * unit.config.finetune_steps if unit.config.personalisation == "finetune" else 0
    return part * unit.config.local_steps + own


def _tidy(unit: Unit) -> None:
    """Drop what was needed to go on: checkpoints, what the homes kept of the run, models of single homes."""
    if unit.training == "federated":
        folders = [unit.place.root / home_id for home_id in unit.place.home_ids]
        forget_run(load_checkpoint(unit.folder).run_id, folders)
        shutil.rmtree(unit.folder / CHECKPOINTS)
    shutil.rmtree(unit.folder / _LOCAL, ignore_errors=True)


def _json(finished: Finished) -> str:
    return json.dumps(finished.model_dump(), indent=1) + "\n"


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file that is there complete or not at all."""
    draft = path.with_name(f".{path.name}")
    write(draft)
    draft.replace(path)
