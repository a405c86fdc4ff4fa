"""Days in a row, outages, and other ways to decide, as whole runs on the in-process grid."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

import simulation
from common.books import Books
from common.clock import day_slots
from common.config import BatterySpec, MarketRules
from common.tariff import load_tariff
from datagen.scenario import SCENARIOS
from datagen.source import parse_day
from market.audit import verify
from report.accounts import accounts, by_span, residuals
from report.evaluator import Homes, observe, optimum_by_day, optimum_nusd
from report.outcome import day_outcome
from tests.conftest import SMALL

Run = Callable[..., Books]
TARIFF, RULES = load_tariff("pge-tou-c"), MarketRules()
PLAIN: dict[str, object] = {
    "forecaster": "profile", "warmup_rounds": 0, "round_every_slots": 0, "homes_per_node": 3,
}  # fmt: skip
MIDNIGHT = day_slots(parse_day(SMALL.date, "date")).start


def test_days_in_a_row_are_one_run_with_accounts_of_each_day(run_local: Run, homes_root: Path) -> None:
    first, last = "2025-06-17", "2025-06-18"
    whole = run_local(date=first, days=2, start_slot=0, slots=0, **PLAIN)
    daily = run_local(date="", start_slot=0, slots=0, test_days=f"{first}..{last}", **PLAIN)
    for name in ("slots", "trades", "meters", "postings"):
        pd.testing.assert_frame_equal(getattr(whole, name), getattr(daily, name), obj=name)
    days = [accounts(part) for part in by_span(daily)]
    together = accounts(whole)
    for name in ("b0_nusd", "b1_nusd", "ledger_nusd", "charged_wh", "stored_change_wh"):
        assert (sum(getattr(day, name) for day in days) == getattr(together, name)).all(), name
    for name in ("p2p_nusd", "battery_only_nusd"):  # the change of stored energy is rounded each midnight
        assert np.abs(sum(getattr(day, name) for day in days) - getattr(together, name)).max() <= 1000, name
    ends, starts = (part.totals.set_index("home_id") for part in by_span(daily))
    assert (ends["stored_end_wh"] == starts["stored_start_wh"]).all()
    homes = Homes.open(homes_root)
    by_day, at_once = optimum_by_day(homes, by_span(daily), TARIFF, RULES), optimum_nusd(homes, whole, TARIFF, RULES)
    assert by_day is not None and at_once is not None
    for home, cost in at_once.items():
        assert sum(day[home] for day in by_day) == pytest.approx(cost, abs=10)


@pytest.mark.parametrize("planner", ["3h", "rule"])
def test_other_ways_to_decide_keep_the_rules(run_local: Run, planner: str) -> None:
    books = run_local(start_slot=26, slots=10, planner=planner, **PLAIN)
    assert verify(books, RULES) == []
    plan = run_local(start_slot=26, slots=10, **PLAIN)
    assert not books.meters.equals(plan.meters), "it decides otherwise"
    peak = TARIFF.peak_window(books.slots["slot"].to_numpy(np.int64))
    drawn = books.meters.groupby("slot")["import_wh"].sum().to_numpy()
    assert drawn[~peak][-4:].sum() > drawn[peak].sum(), "it fills before the peak"


def test_an_outage_stops_meters_and_trade_and_counts_what_nobody_serves(
    run_local: Run, homes_root: Path, tmp_path: Path
) -> None:
    root = tmp_path / "dark"
    shutil.copytree(homes_root, root, ignore=shutil.ignore_patterns("state"))
    first, end = MIDNIGHT + 28, MIDNIGHT + 34
    for path in root.glob("*/home.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"outages": [[first, end]]}))
    books = run_local(root, start_slot=24, slots=14, **PLAIN)
    lit = run_local(start_slot=24, slots=14, **PLAIN)
    assert verify(books, RULES) == [] and residuals(books) == (0, 0)
    dark = books.meters["slot"].between(first, end - 1)
    flows = ["import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"]
    assert dark.sum() == 18 and not books.meters.loc[dark, flows].to_numpy().any()
    assert not books.trades["slot"].between(first, end - 1).any()
    before = books.trades[books.trades["slot"] < first]
    pd.testing.assert_frame_equal(before, lit.trades[lit.trades["slot"] < first])  # nobody knew of it
    homes = Homes.open(root)
    seen = observe(homes, books)
    assert seen.dark is not None and seen.dark.sum() == 18
    assert (seen.stored_wh >= -1).all() and (seen.stored_wh <= seen.capacity_wh[:, None]).all()
    sums = accounts(books).community
    assert sums.unserved_b1_wh == seen.load_wh[seen.dark].sum(), "without battery a home is dark"
    assert sums.unserved_wh < sums.unserved_b1_wh
    ended = books.totals.set_index("home_id").loc[sorted(homes.readings)]["stored_end_wh"].to_numpy()
    assert np.abs(seen.stored_wh[:, -1] - ended).max() <= 5
    assert optimum_nusd(homes, books, TARIFF, RULES) is None
    assert day_outcome(books, TARIFF, BatterySpec(), seen).peak.day_max_ratio is not None


def test_the_table_of_scenarios(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: SCENARIOS[name] for name in ("ev-rush", "grid-outage")}
    monkeypatch.setattr("experiments.scenarios.SCENARIOS", few)
    monkeypatch.setattr(simulation, "_console", Console(width=80))
    done = CliRunner().invoke(
        simulation.cli, ["scenarios", "--homes", "2", "--forecaster", "profile", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "out" / "scenarios.json").read_text())["scenarios"]
    assert [row["scenario"] for row in rows] == list(few)
    assert rows[0]["captured_share"] <= 1 and rows[0]["unserved_b1_kwh"] == 0
    assert rows[1]["captured_share"] is None and rows[1]["unserved_b1_kwh"] > rows[1]["unserved_kwh"]
    assert all((row["money_residual_nusd"], row["energy_residual_wh"]) == (0, 0) for row in rows)
    table = done.output[done.output.index("Scenarios") :].splitlines()
    assert max(len(line) for line in table if not line.startswith("Wrote")) <= 80
