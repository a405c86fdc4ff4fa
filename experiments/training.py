"""``train``: federated training without a market, on the in-process grid or as the ServerApp of any other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from flwr.serverapp import Grid
from rich.console import Console

from common.clock import local_of
from common.config import RunConfig
from common.errors import UserError
from common.events import EventLog
from common.ridge import GATED_HEADS
from datagen.manifest import read_manifest
from experiments.scalars import Scalars
from report.events import Event
from report.progress import Progress
from report.results import versions
from report.rows import iso_utc
from report.schema import Privacy
from report.training import TrainingResult, trained_homes
from server.app import EVENTS
from server.checkpoint import Checkpoint, load_checkpoint
from server.local_grid import LocalGrid, new_run_id
from server.privacy import told
from server.training_run import ROUNDS, Training, run_training

TRAINING, TENSORBOARD = "training.json", "tensorboard"
"""Files that a training run leaves in its output folder, beside those of :mod:`server.training_run`."""


def train(config: RunConfig, out: Path, data_hash: str, console: Console) -> TrainingResult:
    """Train on the in-process grid, one node a home; show how it goes."""
    return _in_process(config, out, data_hash, console, new_run_id(), None)


def resume(out: Path, console: Console) -> TrainingResult:
    """Go on with the run that lies in ``out``, from its last checkpoint, to what it would have come to uninterrupted.

    Raises:
        UserError: no checkpoint, a run that is complete, or homes that are gone.
    """
    checkpoint = load_checkpoint(out)
    config = RunConfig.parse(checkpoint.config)
    if (out / TRAINING).exists():
        raise UserError(f"--resume {out}: the run is complete; --init starts another from its model")
    if (out / "homes").is_dir():
        config = replace(config, homes_dir=str(out / "homes"))  # the folder may have been moved since
    manifest = read_manifest(config.homes_root()) if config.homes_root().is_dir() else None
    if manifest is None:
        raise UserError(f"--resume {out}: the homes' folder {config.homes_root()} is gone, and with it what they keep")
    return _in_process(config, out, manifest.data_hash, console, checkpoint.run_id, checkpoint)


def _in_process(
    config: RunConfig, out: Path, data_hash: str, console: Console, run_id: int, resumed: Checkpoint | None
) -> TrainingResult:
    from client.app import app as client_app

    logging.getLogger("flwr").setLevel(logging.ERROR)
    nodes = -(-config.homes // config.homes_per_node)
    grid = LocalGrid(client_app, nodes, config.flat(), run_id=run_id)
    with Progress(console) as shown:
        events = EventLog(out / EVENTS, watch_rounds(out, lambda event: shown.update(cast(Event, event))))
        try:
            result = run_experiment(grid, config, out, events, run_id, data_hash, resumed)
            events.write("run-ended", ok=True, seconds=result.seconds)
        finally:
            events.close()
    return result


def watch_rounds(out: Path, show: Callable[[dict[str, Any]], None] | None = None) -> Callable[[dict[str, Any]], None]:
    """What an event log is to tell of its events: TensorBoard, and ``show`` if there is one."""
    scalars = Scalars(out / TENSORBOARD)

    def watch(event: dict[str, Any]) -> None:
        scalars.update(event)
        if show is not None:
            show(event)

    return watch


def run_experiment(
    grid: Grid,
    config: RunConfig,
    out: Path,
    events: EventLog,
    run_id: int,
    data_hash: str,
    resumed: Checkpoint | None = None,
) -> TrainingResult:
    """Train on ``grid`` and write ``training.json``; the other arguments are those of ``run_training``."""
    started = datetime.now(UTC)
    training = run_training(grid, config, out, events, run_id, resumed)
    result = _result(training, config, out, data_hash, started)
    draft = out / f".{TRAINING}"
    draft.write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draft.replace(out / TRAINING)
    return result


def _result(training: Training, config: RunConfig, out: Path, data_hash: str, started: datetime) -> TrainingResult:
    reported: Mapping[str, dict[str, float]] = {
        home: training.tested.get(home, {}) | training.tuned.get(home, {}) for home in training.homes
    }
    spent = training.spent
    privacy = None if spent is None else Privacy.model_validate(told(spent, config))
    return TrainingResult(
        strategy=config.strategy,
        rounds=config.rounds,
        parameters=training.parameters,
        learned_before=f"{local_of(training.before_slot):%Y-%m-%d}",
        tested_until=f"{local_of(training.end_slot):%Y-%m-%d}",
        gates=dict(zip(GATED_HEADS, training.gates, strict=False)),
        homes=trained_homes(training.homes, out / ROUNDS, reported),
        privacy=privacy,
        seconds={name: round(value, 2) for name, value in training.seconds.items()},
        versions=versions(),
        seed=config.seed,
        config=config.published(),
        data_hash=data_hash,
        started_utc=iso_utc(started),
        ended_utc=iso_utc(datetime.now(UTC)),
    )
