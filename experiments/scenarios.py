"""``scenarios``: the day of every scenario of the generator, in-process, in one table."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from rich.console import Console

from common.config import RunConfig
from common.events import EventLog
from datagen.manifest import CommunityManifest
from datagen.scenario import SCENARIOS
from experiments.trading import RESULT, run_trading
from report.events import Event
from report.progress import Progress
from report.scenarios import ScenarioRow, ScenarioTable, print_scenarios, scenario_row
from report.schema import Result
from server.app import EVENTS
from server.local_grid import LocalGrid, new_run_id

SCENARIO_TABLE = "scenarios.json"
"""File that the command leaves in its output folder, beside a folder for each scenario."""

Prepare = Callable[[RunConfig], CommunityManifest]
Resolve = Callable[[RunConfig, CommunityManifest], RunConfig]


def run_scenarios(config: RunConfig, folder: Path, prepare: Prepare, resolve: Resolve, console: Console) -> None:
    """Run every scenario with the options of ``config``; write and show the table.

    Args:
        config: its scenario and date are each scenario's own.
        folder: of the results; each scenario has a folder in it with all files of a run.
        prepare: makes the homes. resolve: puts into the options what the homes decided.
        console: to show it on.
    """
    logging.getLogger("flwr").setLevel(logging.ERROR)
    rows = [_row(replace(config, scenario=name), folder / name, prepare, resolve, console) for name in SCENARIOS]
    table = ScenarioTable(scenarios=rows, config=config.published())
    (folder / SCENARIO_TABLE).write_text(table.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print_scenarios(table, console)


def _row(config: RunConfig, out: Path, prepare: Prepare, resolve: Resolve, console: Console) -> ScenarioRow:
    from client.app import app as client_app

    console.print(f"{config.scenario}: {SCENARIOS[config.scenario].summary}", highlight=False)
    root = out / "homes"
    manifest = prepare(replace(config, homes_dir=str(root), out=str(out)))
    config = resolve(replace(config, homes_dir=str(root), out=str(out)), manifest)
    config = replace(config, homes_per_node=config.homes)
    with Progress(console) as shown:
        events = EventLog(
            out / EVENTS, (lambda event: shown.update(cast(Event, event))) if console.is_terminal else None
        )
        try:
            grid = LocalGrid(client_app, 1, config.flat(), run_id=new_run_id())
            run_trading(grid, config, root, out, events, manifest.data_hash, comparisons=())
        finally:
            events.close()
    return scenario_row(config.scenario, Result.model_validate_json((out / RESULT).read_bytes()))
