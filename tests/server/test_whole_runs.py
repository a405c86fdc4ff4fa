"""Whole runs in rarer situations: open gates, days when the clocks change, metered trade, hourly meters, evaluation."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import simulation
from common.books import Books
from common.clock import local_of
from common.config import MarketRules
from common.ridge import GATED_HEADS
from datagen.community import prepare_homes
from market.audit import verify
from server.checkpoint import MODEL
from tests.conftest import SMALL

Run = Callable[..., Books]

BASE: dict[str, object] = {"forecaster": "base", "warmup_rounds": 0, "round_every_slots": 0}
TRAINED: dict[str, object] = {"learning_rate": 0.01, "warmup_rounds": 2, "start_slot": 16, "slots": 12}
RULES = MarketRules()


@pytest.fixture
def gates_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the Transformer says is added, whether the held-out days support it or not."""

    def solve_gates(sums: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, float]:
        assert len(sums) > 0
        return dict.fromkeys(GATED_HEADS, 1.0)

    monkeypatch.setattr("server.learning.solve_gates", solve_gates)


def same(a: Books, b: Books) -> None:
    for name in ("slots", "trades", "meters", "postings", "totals"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), obj=name)


def same_decisions(a: Books, b: Books, last: int) -> None:
    """Decided alike up to and with slot ``last``; the price of the slot after it comes from the plans of then."""
    for name, until in (("slots", last + 1), ("trades", last)):
        rows = [getattr(books, name) for books in (a, b)]
        early, other = (table[table["slot"] <= until].reset_index(drop=True) for table in rows)
        pd.testing.assert_frame_equal(early, other, obj=name)
        assert len(early), f"no {name} up to slot {last}: the test says nothing"


def with_another_future(root: Path, to: Path, cut: int) -> Path:
    """A copy of the homes in which all readings of ``cut`` and later, and all weather issued later, are others."""
    shutil.copytree(root, to, ignore=shutil.ignore_patterns("state"))
    for folder in sorted(to.glob("home-*")):
        path = folder / "readings.parquet"
        table = pd.read_parquet(path)
        late = table["slot"] >= cut
        for column in ("load_wh", "pv_wh", "temperature_c", "irradiance_w_m2"):
            changed = (500 + 3 * table.loc[late, column].iloc[::-1].to_numpy()).clip(max=9000)
            table.loc[late, column] = changed.astype(table[column].dtype)
        table.to_parquet(path, index=False)
        path = folder / "weather_forecast.parquet"
        issued = pd.read_parquet(path)
        issued.loc[issued["issue_slot"] > cut, ["temperature_c", "irradiance_w_m2"]] += 20
        path.unlink()  # the homes share one file
        issued.to_parquet(path, index=False)
    return to


def with_facts(root: Path, to: Path, **facts: object) -> Path:
    """A copy of the homes with other facts in each ``home.json``; ``battery`` is merged into the battery's own."""
    shutil.copytree(root, to, ignore=shutil.ignore_patterns("state"))
    for path in to.glob("*/home.json"):
        known = json.loads(path.read_text())
        battery = known["battery"] | facts.get("battery", {})  # type: ignore[operator]
        path.write_text(json.dumps(known | facts | {"battery": battery}))
    return to


# -- open gates -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("gates_open")
def test_a_gateway_learns_and_corrects_like_its_homes_alone(run_local: Run, tmp_path: Path) -> None:
    alone, gateway = run_local(homes_per_node=1, **TRAINED), run_local(homes_per_node=3, **TRAINED)
    same(alone, gateway)
    models = [path.read_bytes() for path in sorted(tmp_path.glob(f"run-*/{MODEL}"))]
    assert len(models) == 2
    assert models[0] == models[1]
    base = run_local(homes_per_node=3, **TRAINED | {"forecaster": "base"})
    assert not alone.trades.equals(base.trades), "the correction must reach the orders"
    assert verify(alone, RULES) == []


@pytest.mark.usefixtures("gates_open")
def test_open_gates_let_no_future_in(run_local: Run, homes_root: Path, tmp_path: Path) -> None:
    before = run_local(homes_per_node=3, **TRAINED)
    cut = int(before.slots["slot"].min()) + 8  # after the federated round at slot 6
    after = run_local(root=with_another_future(homes_root, tmp_path / "other", cut), homes_per_node=3, **TRAINED)
    same_decisions(before, after, cut)
    for name in ("meters", "postings"):
        a, b = (getattr(books, name) for books in (before, after))
        pd.testing.assert_frame_equal(a[a["slot"] < cut], b[b["slot"] < cut], obj=name)
    assert not before.meters.equals(after.meters), "the change must reach the meters of later slots"


# -- the clocks change ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sunny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four homes, from before the clocks go forward to after they go back; two have roofs that sell much."""
    root = tmp_path_factory.mktemp("sunny") / "homes"
    prepare_homes(replace(SMALL, homes=4, date="", test_days="2025-03-08,2025-11-02", solar_share=0.5), root)
    for path in root.glob("*/readings.parquet"):
        table = pd.read_parquet(path)
        table["load_wh"], table["pv_wh"] = 2 * table["load_wh"], 5 * table["pv_wh"]
        table.to_parquet(path, index=False)
    return root


@pytest.mark.parametrize(
    ("date", "days", "slots"), [("2025-03-09", 1, 46), ("2025-11-02", 1, 50), ("2025-03-08", 2, 94)]
)
def test_days_on_which_the_clocks_change(run_local: Run, sunny_root: Path, date: str, days: int, slots: int) -> None:
    books = run_local(root=sunny_root, homes=4, homes_per_node=4, date=date, days=days, start_slot=0, slots=0, **BASE)
    assert verify(books, RULES) == []
    assert len(books.slots) == slots
    assert books.slots["slot"].diff().dropna().eq(1).all()
    assert len(books.meters) == 4 * slots
    assert len(books.totals) == 4
    local = [local_of(int(slot)) for slot in books.slots["slot"]]
    assert f"{local[0]:%Y-%m-%d %H:%M}" == f"{date} 00:00"
    assert f"{local[-1]:%H:%M}" == "23:30"
    day = books.trades["slot"].map(lambda slot: local_of(slot).date())
    sold = books.trades.groupby([day, "seller"])["injected_wh"].sum()
    assert sold.groupby(level=0).max().between(RULES.daily_sell_limit_wh // 2, RULES.daily_sell_limit_wh).all(), sold
    assert sold.index.get_level_values(0).nunique() == days


# -- metered settlement ---------------------------------------------------------------------------------------------


def test_metered_settlement_over_midday(run_local: Run) -> None:
    midday: dict[str, object] = {"homes_per_node": 3, "start_slot": 20, "slots": 16, **BASE}
    firm, metered = run_local(**midday), run_local(settlement="metered", **midday)
    for books in (firm, metered):
        assert verify(books, RULES) == []
        assert books.trades["delivered_wh"].sum() > 0
    assert not firm.trades.equals(metered.trades)
    # Nobody buys more than the meter let in, nor sells more than it let out.
    assert (metered.meters["bought_wh"] <= metered.meters["import_wh"]).all()
    assert (metered.meters["sold_wh"] <= metered.meters["export_wh"]).all()


# -- hourly homes ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("gates_open")
def test_hourly_homes_decide_on_whole_hours(run_local: Run, homes_root: Path, tmp_path: Path) -> None:
    """The second half of an hour and all after it are others; its own decision, after a round within it, stays."""
    hourly = with_facts(homes_root, tmp_path / "hourly", resolution_slots=2)
    options = TRAINED | {"homes_per_node": 3, "round_every_slots": 7}
    before = run_local(root=hourly, **options)
    cut = int(before.slots["slot"].min()) + 7
    assert cut % 2 == 1
    after = run_local(root=with_another_future(hourly, tmp_path / "other", cut), **options)
    same_decisions(before, after, cut)
    assert not before.meters.equals(after.meters)


@pytest.mark.usefixtures("gates_open")
@pytest.mark.parametrize("resolution_slots", [2, 1])
def test_half_an_hour_of_an_hourly_home_is_not_known(
    run_local: Run, homes_root: Path, tmp_path: Path, resolution_slots: int
) -> None:
    """The whole hour is another. Without a battery only the forecast carries it to the second half's decision.

    A half-hourly home shows that the change would be seen there.
    """
    battery = {"capacity_kwh": 0.0, "max_power_kw": 0.0}
    homes = with_facts(homes_root, tmp_path / "homes", resolution_slots=resolution_slots, battery=battery)
    options = TRAINED | {"homes_per_node": 3, "round_every_slots": 7, "start_slot": 22}
    before = run_local(root=homes, **options)
    cut = int(before.slots["slot"].min()) + 8
    assert cut % 2 == 0
    after = run_local(root=with_another_future(homes, tmp_path / "other", cut), **options)
    if resolution_slots == 2:
        same_decisions(before, after, cut + 1)
    else:
        same_decisions(before, after, cut)
        with pytest.raises(AssertionError):
            same_decisions(before, after, cut + 1)


# -- evaluation -----------------------------------------------------------------------------------------------------


def test_evaluation_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(
        simulation.cli, ["evaluate", "--model", "tiny", "--homes", "2", "--days", "2", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    for name in ("evaluate.json", "evaluate.png", "ledger.sqlite", "events.jsonl", "model.safetensors"):
        assert (out / name).is_file()
        assert f"Wrote {out / name}" in done.output.replace("\n", "")
    told = [line for line in done.output.splitlines() if line.startswith("slot")]
    lines = ["slot 48 of 96", "slot 96 of 96"]
    assert [line.split("  ")[0] for line in told] == 4 * lines, "a line for each day, here and with three other ways"
    assert json.loads((out / "events.jsonl").read_text().splitlines()[-1])["event"] == "run-ended"
    measured = json.loads((out / "evaluate.json").read_text())
    figures = {
        "savings_percent_b1", "savings_percent_b0", "captured_share", "homes_worse_off", "peak_window_cut_percent",
        "day_max_ratio_mean", "day_max_ratio_p99", "day_max_b1_kw_mean", "day_max_b1_kw_p99",
        "day_max_p2p_kw_mean", "day_max_p2p_kw_p99", "money_residual_nusd", "energy_residual_wh",
        "round_trip_efficiency", "trades_per_day", "homes", "days", "seconds",
    }  # fmt: skip
    assert figures <= measured.keys()
    assert all(measured[name] is not None for name in figures)
    assert (measured["homes"], measured["days"], len(measured["by_day"])) == (2, 2, 2)
    assert (measured["money_residual_nusd"], measured["energy_residual_wh"]) == (0, 0)
    assert 0.8 < measured["round_trip_efficiency"] <= 1
    assert measured["captured_share"] <= 1
    bill = measured["waterfall"]
    assert all(cost is not None for cost in bill.values())
    assert bill["community_optimum_usd"] <= bill["perfect_forecast_usd"] < bill["look_ahead_3h_usd"]
