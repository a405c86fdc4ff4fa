"""Small training runs that tests share: three homes that have just moved in, a round of one step, a week of test."""

import json
from dataclasses import replace
from pathlib import Path

from client import node
from client.app import app
from common.config import RunConfig
from common.events import EventLog
from server.checkpoint import Checkpoint
from server.local_grid import LocalGrid, new_run_id
from server.training_run import ROUNDS, Training, run_training
from tests.conftest import SMALL

TRAIN = replace(
    SMALL,
    mode="train",
    rounds=2,
    local_steps=2,
    batch_size=1,
    learning_rate=1e-3,
    date="2025-06-15",
    short_history_share=1.0,
    short_history_days=50,
    start_slot=0,
    slots=0,
)


def options(root: Path, **changes: object) -> RunConfig:
    config = replace(TRAIN, homes_dir=str(root), **changes)  # type: ignore[arg-type]
    config.check()
    return config


def trained(config: RunConfig, out: Path, resumed: Checkpoint | None = None) -> Training:
    """A run on the in-process grid, in a process of its own as far as the homes can tell."""
    node._fleets.clear()
    run_id = new_run_id() if resumed is None else resumed.run_id
    grid = LocalGrid(app, -(-config.homes // config.homes_per_node), config.flat(), run_id=run_id)
    events = EventLog(out / "events.jsonl")
    try:
        return run_training(grid, config, out, events, run_id, resumed)
    finally:
        events.close()


def rounds(out: Path) -> list[dict[str, object]]:
    """Rows of ``rounds.jsonl`` without the time that they took."""
    rows = [json.loads(line) for line in (out / ROUNDS).read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
