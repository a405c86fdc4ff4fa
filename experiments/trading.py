"""A trading run as the ServerApp does it: the community, then its report, which may see what nobody else may."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from flwr.serverapp import Grid

from client.store import HomeStore
from common.books import Books
from common.config import BatterySpec, MarketRules, RunConfig
from common.events import EventLog
from common.tariff import load_tariff
from experiments.bounding import COMPARISONS, Comparison, compared_books
from market.ledger import read_books
from report.accounts import accounts
from report.chart import day_png
from report.evaluator import Homes, observe, optimum_nusd
from report.events import follow
from report.observed import Bounds
from report.privacy import privacy_of
from report.results import RunFacts, build_result, write_result
from server.app import EVENTS, LEDGER, run_community

RESULT, CHART = "result.json", "day.png"
"""Files that a trading run leaves in its output folder, beside those of :mod:`server.app`."""


def run_trading(
    grid: Grid,
    config: RunConfig,
    root: Path | None,
    out: Path,
    events: EventLog,
    data_hash: str,
    comparisons: Sequence[Comparison] = COMPARISONS,
) -> dict[str, float]:
    """Run the community on ``grid`` and report.

    Args:
        grid: any grid.
        config: of the run.
        root: folder of the homes' folders; None in a deployment, where nobody sees them all.
        out: folder of the results.
        events: of the run.
        data_hash: of the homes' readings; empty where it is not known.
        comparisons: other ways to decide in which the run is repeated, if the homes' folders are at hand.

    Returns:
        Wall seconds by phase.

    Raises:
        UserError: what the user has to mend.
    """
    started = datetime.now(UTC)
    seconds = run_community(grid, config, out, events)
    began = time.monotonic()
    events.write("phase", name="report")
    _report(config, grid.run.run_id, root, out, data_hash, started, comparisons)
    return seconds | {"report": time.monotonic() - began}


def diaries(config: RunConfig, run_id: int) -> Callable[[Path], Mapping[int, int]] | None:
    """Reads what the car of a home's folder took in a run, by slot; None where cars are not charged by plan."""
    return (lambda folder: HomeStore(folder, str(run_id)).charging_wh()) if config.smart_charging else None


def _report(
    config: RunConfig,
    run_id: int,
    root: Path | None,
    out: Path,
    data_hash: str,
    started: datetime,
    comparisons: Sequence[Comparison],
) -> None:
    """Write ``result.json`` and ``day.png``; with the homes' folders at hand also what only their owner may see."""
    books, tariff, battery = read_books(out / LEDGER), load_tariff(config.tariff), BatterySpec()
    events = list(follow(out / EVENTS))
    rounds = [event for event in events if event["event"] == "round"]
    observed = bounds = None
    if root is not None:
        homes = Homes.open(root, diaries(config, run_id))
        observed = observe(homes, books)
        bounds = Bounds(
            optimum_nusd(homes, books, tariff, MarketRules()),
            **{f"{c.name}_nusd": _costs(compared_books(config, c, root), config) for c in comparisons},
        )
    facts = RunFacts(config, data_hash, started, datetime.now(UTC))
    result = build_result(books, rounds, tariff, battery, facts, observed, bounds, privacy_of(events))
    write_result(result, out / RESULT)
    day_png(result, out / CHART)


def _costs(books: Books, config: RunConfig) -> dict[str, int]:
    """Cost of each home, n$, the change of stored energy valued."""
    paid = accounts(books)
    return dict(zip(paid.home_ids, paid.p2p_nusd.tolist(), strict=True))
