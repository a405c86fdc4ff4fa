"""A trading run as the ServerApp does it: the community, then its report, which may see what nobody else may."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from flwr.serverapp import Grid

from common.config import BatterySpec, MarketRules, RunConfig
from common.events import EventLog
from common.tariff import load_tariff
from market.ledger import read_books
from report.accounts import accounts
from report.chart import day_png
from report.evaluator import Homes, observe, optimum_nusd
from report.events import follow
from report.observed import Bounds
from report.privacy import privacy_of
from report.results import RunFacts, build_result, write_result
from server.app import EVENTS, LEDGER, run_community
from server.local_grid import LocalGrid, new_run_id

RESULT, CHART = "result.json", "day.png"
"""Files that a trading run leaves in its output folder, beside those of :mod:`server.app`."""


def run_trading(
    grid: Grid, config: RunConfig, root: Path | None, out: Path, events: EventLog, data_hash: str
) -> dict[str, float]:
    """Run the community on ``grid`` and report.

    Args:
        grid: any grid.
        config: of the run.
        root: folder of the homes' folders; None in a deployment, where nobody sees them all.
        out: folder of the results.
        events: of the run.
        data_hash: of the homes' readings; empty where it is not known.

    Returns:
        Wall seconds by phase.

    Raises:
        UserError: what the user has to mend.
    """
    started = datetime.now(UTC)
    seconds = run_community(grid, config, out, events)
    began = time.monotonic()
    events.write("phase", name="report")
    _report(config, root, out, data_hash, started)
    return seconds | {"report": time.monotonic() - began}


def _report(config: RunConfig, root: Path | None, out: Path, data_hash: str, started: datetime) -> None:
    """Write ``result.json`` and ``day.png``; with the homes' folders at hand also what only their owner may see."""
    books, tariff, battery = read_books(out / LEDGER), load_tariff(config.tariff), BatterySpec()
    events = list(follow(out / EVENTS))
    rounds = [event for event in events if event["event"] == "round"]
    observed = bounds = None
    if root is not None:
        homes = Homes.open(root)
        observed = observe(homes, books)
        optimum = optimum_nusd(homes, books, tariff, MarketRules())
        bounds = None if optimum is None else Bounds(optimum, _with_perfect_forecast(config, root))
    facts = RunFacts(config, data_hash, started, datetime.now(UTC))
    result = build_result(books, rounds, tariff, battery, facts, observed, bounds, privacy_of(events))
    write_result(result, out / RESULT)
    day_png(result, out / CHART)


def _with_perfect_forecast(config: RunConfig, root: Path) -> dict[str, int]:
    """Cost of each home, n$, in the same run with foresight in place of the forecaster: the same app, in-process."""
    from client.app import app as client_app

    bound = replace(
        config,
        forecaster="perfect",
        warmup_rounds=0,
        round_every_slots=0,
        personalisation="none",
        dp="none",
        homes_per_node=config.homes,
        homes_dir=str(root),
    )
    with TemporaryDirectory() as folder:
        out = Path(folder)
        events = EventLog(out / EVENTS)
        run_community(LocalGrid(client_app, 1, bound.flat(), run_id=new_run_id()), bound, out, events)
        events.close()
        paid = accounts(read_books(out / LEDGER), load_tariff(config.tariff), BatterySpec())
    return dict(zip(paid.home_ids, paid.p2p_nusd.tolist(), strict=True))
