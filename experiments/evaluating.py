"""``evaluate``: many test days on the in-process grid, and their figures."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from rich.console import Console

from common.blocks import days_of, parse_blocks
from common.books import Books
from common.config import BatterySpec, MarketRules, RunConfig
from common.events import EventLog
from common.tariff import Tariff, load_tariff
from experiments.bounding import COMPARISONS, compared_books
from experiments.trading import diaries
from market.ledger import read_books
from report.accounts import accounts, by_span
from report.evaluation import Evaluation, evaluation
from report.evaluation_chart import evaluation_png
from report.evaluator import Homes, observe, optimum_by_day
from report.events import Event
from report.observed import Bounds
from report.outcome import DayOutcome, day_outcome
from report.progress import Progress
from server.app import EVENTS, LEDGER, run_community
from server.local_grid import LocalGrid, new_run_id

EVALUATION, EVALUATION_CHART = "evaluate.json", "evaluate.png"
"""Files that an evaluation leaves in its output folder, beside those of :mod:`server.app`."""

Costs = dict[str, int]
"""Cost of each home, n$."""


def evaluate_days(
    config: RunConfig, out: Path, data_hash: str, began: float, console: Console, *, bounds: bool = True
) -> Evaluation:
    """Run the test days of ``config``, all homes on one node; write ``evaluate.json`` and a picture; show how it goes.

    Args:
        config: with ``test_days``; its homes lie under ``homes_dir``.
        out: folder of the results.
        data_hash: of the homes' readings.
        began: when the work began, by ``time.monotonic``.
        console: to show it on.
        bounds: run the days again with foresight, with a short look-ahead and by a rule.
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
    compared = _compared(config, console) if bounds else {}
    tariff, outcomes = load_tariff(config.tariff), _outcomes(config, grid.run.run_id, out, compared)
    measured = evaluation(outcomes, tariff, BatterySpec(), config, data_hash, time.monotonic() - began)
    draft = out / f".{EVALUATION}"
    draft.write_text(measured.model_dump_json(indent=1) + "\n", encoding="utf-8")
    draft.replace(out / EVALUATION)
    evaluation_png(measured, out / EVALUATION_CHART)
    return measured


def _compared(config: RunConfig, console: Console) -> dict[str, list[Costs]]:
    """Costs of the homes on each day, decided in other ways."""
    tariff, costs = load_tariff(config.tariff), {}
    for comparison in COMPARISONS:
        console.print(f"The same days {comparison.title}", highlight=False)
        with Progress(console) as shown:
            books = compared_books(config, comparison, Path(config.homes_dir), _showing(shown))
        costs[comparison.name] = [_costs(day, tariff) for day in by_span(books)]
    return costs


def _showing(shown: Progress) -> Callable[[dict[str, object]], None]:
    return lambda event: shown.update(cast(Event, event))


def _costs(books: Books, tariff: Tariff) -> Costs:
    paid = accounts(books)
    return dict(zip(paid.home_ids, paid.p2p_nusd.tolist(), strict=True))


def _outcomes(config: RunConfig, run_id: int, out: Path, compared: Mapping[str, Sequence[Costs]]) -> list[DayOutcome]:
    """What became of each day in the ledger."""
    tariff, battery = load_tariff(config.tariff), BatterySpec()
    homes = Homes.open(Path(config.homes_dir), diaries(config, run_id))
    days = by_span(read_books(out / LEDGER))
    outcomes: list[DayOutcome] = []
    # A part of a day (slots) stands for itself: see spans_of.
    lengths = [1] * len(days) if config.slots else [len(days_of(block)) for block in parse_blocks(config.test_days)]
    assert sum(lengths) == len(days)
    for length in lengths:
        first = len(outcomes)
        block = days[first : first + length]
        optima = optimum_by_day(homes, block, tariff, MarketRules())
        for number, books in enumerate(block):
            others = {f"{name}_nusd": costs[first + number] for name, costs in compared.items()}
            bounds = Bounds(None if optima is None else optima[number], **others)
            outcomes.append(day_outcome(books, tariff, battery, observe(homes, books), bounds))
    return outcomes
