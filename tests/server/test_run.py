"""Whole runs on the in-process grid."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from client.household import Household
from client.store import Arrays
from common.books import Books
from common.config import MarketRules
from common.errors import UserError
from common.messages import Fit, HomeReply, SlotRequest
from market.audit import verify
from server.quoting import Quoter

Run = Callable[..., Books]


def same(a: Books, b: Books) -> None:
    for name in ("slots", "trades", "meters", "postings", "totals"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), obj=name)


def test_books_are_sound_and_a_seed_repeats(run_local: Run) -> None:
    once, twice = run_local(slots=20), run_local(slots=20)
    same(once, twice)
    assert verify(once, MarketRules()) == []
    assert len(once.slots) == 20
    assert len(once.totals) == 3
    assert once.postings.groupby("slot")["amount_nusd"].sum().eq(0).all()


def test_a_gateway_trades_like_its_homes_alone(run_local: Run) -> None:
    same(run_local(homes_per_node=1), run_local(homes_per_node=3))


@pytest.mark.parametrize("settlement", ["firm", "metered"])
@pytest.mark.parametrize("mechanism", ["uniform", "pay-as-bid", "mid-market"])
def test_every_mechanism_keeps_sound_books_on_any_nodes(run_local: Run, mechanism: str, settlement: str) -> None:
    def trade(homes_per_node: int) -> Books:
        return run_local(
            mechanism=mechanism, settlement=settlement, forecaster="profile", slots=14, homes_per_node=homes_per_node
        )

    books = trade(1)
    same(books, trade(3))
    assert len(books.trades) > 0
    assert verify(books, MarketRules(), mechanism) == []


def test_wrong_number_of_nodes_says_how_to_give_it(run_local: Run) -> None:
    with pytest.raises(UserError, match=r'2 SuperNodes.*--federation-config "num-supernodes=3"'):
        run_local(nodes=2, timeout_s=0.5)
    with pytest.raises(UserError, match="3 households answered, 5 are expected"):
        run_local(homes=5, timeout_s=0.5)


def test_homes_without_enough_history_are_named(run_local: Run) -> None:
    with pytest.raises(UserError, match="home home-00000 has readings from 2024-06-18"):
        run_local(date="2024-07-01")


def test_changing_the_future_changes_no_decision(run_local: Run, homes_root: Path, tmp_path: Path) -> None:
    """Readings and forecasts from a slot on are turned upside down; what was decided before its gate stays."""
    other = tmp_path / "other"
    shutil.copytree(homes_root, other)
    before = run_local(slots=12)
    cut = int(before.slots["slot"].min()) + 8  # after the federated round at slot 6
    for folder in sorted(other.glob("home-*")):
        path = folder / "readings.parquet"
        table = pd.read_parquet(path)
        late = table["slot"] >= cut
        for column in ("load_wh", "pv_wh", "temperature_c", "irradiance_w_m2"):
            changed = (500 + 3 * table.loc[late, column].iloc[::-1].to_numpy()).clip(max=9000)
            table.loc[late, column] = changed.astype(table[column].dtype)
        table.to_parquet(path, index=False)
        path = folder / "weather_forecast.parquet"
        issued = pd.read_parquet(path)
        issued.loc[issued["issue_slot"] > cut, "temperature_c"] += 20
        path.unlink()  # the homes share one file
        issued.to_parquet(path, index=False)
    after = run_local(root=other, slots=12)
    for name, until in (("slots", cut), ("trades", cut), ("meters", cut - 1), ("postings", cut - 1)):
        a, b = (getattr(books, name) for books in (before, after))
        pd.testing.assert_frame_equal(a[a["slot"] <= until], b[b["slot"] <= until], obj=name)
    assert not before.meters.equals(after.meters), "the change must reach the meters of later slots"


def test_central_sees_what_the_meters_of_each_slot_say_together(
    run_local: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the slots before a FedAvg round, which are settled in a round trip of their own."""
    seen: dict[int, int] = {}
    monkeypatch.setattr(Quoter, "saw", lambda _, slot, net_import_wh: seen.update({slot: net_import_wh}))
    books = run_local(slots=8)
    meters = books.meters.groupby("slot")[["import_wh", "export_wh"]].sum()
    assert seen == (meters["import_wh"] - meters["export_wh"]).to_dict()
    assert len(seen) == 8


def test_a_silent_home_has_no_orders_and_the_others_trade_on(run_local: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from client.fleet import Fleet

    original = Fleet.slot

    def slot(self: Fleet, request: SlotRequest) -> tuple[HomeReply, ...]:
        if request.quote is not None and request.quote.slot % 2 and self.homes[0].home_id == "home-00001":
            raise RuntimeError("no power")
        return original(self, request)

    monkeypatch.setattr(Fleet, "slot", slot)
    books = run_local(slots=20)
    assert len(books.slots) == 20
    counts = books.meters.groupby("home_id").size()
    assert counts["home-00000"] == 20
    assert counts["home-00001"] < 20
    assert verify(books, MarketRules()) == []


@pytest.mark.parametrize("missed", ["first", "third"])
def test_a_home_that_missed_a_message_comes_back(run_local: Run, monkeypatch: pytest.MonkeyPatch, missed: str) -> None:
    from client.fleet import Fleet

    original, calls = Fleet.slot, {"n": 0}

    def slot(self: Fleet, request: SlotRequest) -> tuple[HomeReply, ...]:
        if self.homes[0].home_id == "home-00001":
            calls["n"] += 1
            if calls["n"] == {"first": 1, "third": 3}[missed]:
                raise RuntimeError("no network")
        return original(self, request)

    monkeypatch.setattr(Fleet, "slot", slot)
    books = run_local(slots=8, round_every_slots=0)
    rows = books.meters.groupby("home_id").size()
    assert rows["home-00001"] >= 7
    assert rows["home-00000"] == 8
    assert verify(books, MarketRules()) == []


def test_one_home_with_broken_statistics_does_not_stop_the_others(
    run_local: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import client.app

    original = client.app.base_statistics

    def broken(home: Household, fit: Fit) -> Arrays:
        sums = original(home, fit)
        return {name: value * float("nan") for name, value in sums.items()} if home.home_id == "home-00001" else sums

    monkeypatch.setattr(client.app, "base_statistics", broken)
    assert len(run_local(slots=2).meters) == 6
