"""Small communities that many tests share; everything computes on the CPU, for ray shows no GPU to its clients.

``COMMONWATT_DEVICE=cuda python -m pytest tests/client`` tests what a GPU computes.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from common.books import Books
from common.config import RunConfig
from common.events import EventLog
from datagen.community import prepare_homes
from market.ledger import read_books
from server.app import LEDGER, run_community
from server.local_grid import LocalGrid

os.environ.setdefault("COMMONWATT_DEVICE", "cpu")

SMALL = RunConfig(
    homes=3, date="2025-06-18", model="tiny", warmup_rounds=1, local_steps=2, batch_size=2, start_slot=14, slots=8
)
"""Three homes, a few slots from 07:00 on, one round on the way."""


@pytest.fixture(scope="session")
def homes_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of the three generated homes of :data:`SMALL`."""
    root = tmp_path_factory.mktemp("community") / "homes"
    prepare_homes(SMALL, root)
    return root


@pytest.fixture
def run_local(homes_root: Path, tmp_path: Path) -> Callable[..., Books]:
    """Run a variation of :data:`SMALL` on the in-process grid; returns its books."""
    from client.app import app

    runs = 0

    def run(root: Path = homes_root, nodes: int = 0, **changes: object) -> Books:
        nonlocal runs
        runs += 1
        out = tmp_path / f"run-{runs}"
        config = replace(SMALL, homes_dir=str(root), out=str(out), **changes)  # type: ignore[arg-type]
        nodes = nodes or -(-config.homes // config.homes_per_node)
        grid = LocalGrid(app, nodes, config.flat(), run_id=abs(hash(str(out))) % 10**9)
        run_community(grid, config, out, EventLog(out / "events.jsonl"))
        return read_books(out / LEDGER)

    return run
