"""``evaluate``: many test days on the in-process grid, and their figures."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import cast

from rich.console import Console

from common.config import BatterySpec, MarketRules, RunConfig
from common.events import EventLog
from common.tariff import load_tariff
from market.ledger import read_books
from report.accounts import by_span
from report.evaluation import Evaluation, day_outcome, evaluation
from report.evaluator import Homes, observe, optimum_nusd
from report.events import Event
from report.observed import Bounds
from report.progress import Progress
from server.app import EVENTS, LEDGER, run_community
from server.local_grid import LocalGrid, new_run_id

EVALUATION = "evaluate.json"
"""File that an evaluation leaves in its output folder, beside those of :mod:`server.app`."""


def evaluate_days(config: RunConfig, out: Path, data_hash: str, began: float, console: Console) -> Evaluation:
    """Run the test days of ``config``, all homes on one node; write ``evaluate.json``; show how it goes.

    Args:
        config: with ``test_days``; its homes lie under ``homes_dir``.
        out: folder of the results.
        data_hash: of the homes' readings.
        began: when the work began, by ``time.monotonic``.
        console: to show it on.
    """
    from client.app import app as client_app

    logging.getLogger("flwr").setLevel(logging.ERROR)
    with Progress(console) as shown:
        events = EventLog(out / EVENTS, lambda event: shown.update(cast(Event, event)))
        try:
            grid = LocalGrid(client_app, 1, config.flat(), run_id=new_run_id())
            seconds = run_community(grid, config, out, events)
            events.write("run-ended", ok=True, seconds={name: round(value, 2) for name, value in seconds.items()})
        finally:
            events.close()
    measured = _measured(config, out, data_hash, began)
    draft = out / f".{EVALUATION}"
    draft.write_text(measured.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draft.replace(out / EVALUATION)
    return measured


def _measured(config: RunConfig, out: Path, data_hash: str, began: float) -> Evaluation:
    """Figures of the days in the ledger."""
    tariff, battery, homes = load_tariff(config.tariff), BatterySpec(), Homes.open(Path(config.homes_dir))
    outcomes = []
    for books in by_span(read_books(out / LEDGER)):
        optimum = optimum_nusd(homes, books, tariff, MarketRules())
        bounds = None if optimum is None else Bounds(optimum)
        outcomes.append(day_outcome(books, tariff, battery, observe(homes, books), bounds))
    return evaluation(outcomes, battery, config, data_hash, time.monotonic() - began)
