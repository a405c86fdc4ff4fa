from dataclasses import replace

import pandas as pd
import pytest
from market_cases import NOON, PRICE_UUSD, RULES, match, meter, order

from market.audit import verify
from market.ledger import Ledger
from market.settlement import SlotPrices, settle


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    """Two slots: b buys from s in two lots each; b imports a little more, s exports a little more."""
    with Ledger(tmp_path_factory.mktemp("audit") / "ledger.db") as ledger:
        for slot in (NOON, NOON + 1):
            orders = [order("b", "buy", 3_000, slot=slot), order("s", "sell", 4_000, slot=slot)]
            meters = {"b": meter(3_100, 0, slot), "s": meter(0, 4_000, slot)}
            trades = match(slot, PRICE_UUSD, orders, RULES, 0)
            ledger.book(settle(SlotPrices(slot, PRICE_UUSD, 280_000, 60_000), trades, meters))
        return ledger.books()


def broken_rules(books, rules=RULES):
    return {discrepancy.rule for discrepancy in verify(books, rules)}


def edited(books, table, row, **values):
    frame = getattr(books, table).copy()
    for column, value in values.items():
        frame.loc[row, column] = value
    return replace(books, **{table: frame})


def repeated(books, table):
    frame = getattr(books, table)
    return replace(books, **{table: pd.concat([frame, frame.iloc[:1]], ignore_index=True)})


def dropped(books, table):
    return replace(books, **{table: getattr(books, table).iloc[1:]})


def test_honest_books_are_in_order(books):
    assert verify(books, RULES) == []


def test_empty_books_are_in_order(tmp_path):
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert verify(ledger.books(), RULES) == []


@pytest.mark.parametrize(
    ("rule", "table", "row", "values"),
    [
        ("price-bounds", "slots", 0, {"price_uusd": 99_999}),
        ("price-bounds", "slots", 0, {"price_uusd": 1_000_001}),
        ("trade-price", "trades", 0, {"price_uusd": PRICE_UUSD + 1}),
        ("trade-bounds", "trades", 0, {"price_uusd": 99_999}),
        ("trade-bounds", "trades", 0, {"price_uusd": 1_000_001}),
        ("trade-amount", "trades", 0, {"amount_nusd": 1}),
        ("trade-tariff", "slots", 0, {"import_uusd": PRICE_UUSD - 1}),
        ("trade-tariff", "slots", 0, {"export_uusd": 237_501}),
        ("trade-lot", "trades", 0, {"delivered_wh": 2_001}),
        ("trade-lot", "trades", 0, {"delivered_wh": 0}),
        ("trade-parties", "trades", 0, {"buyer": "s"}),
        ("loss", "trades", 0, {"injected_wh": 2_000}),
        ("loss", "trades", 0, {"injected_wh": 2_200}),
        ("slot-known", "trades", 0, {"slot": NOON - 1}),
        ("slot-known", "meters", 0, {"slot": NOON - 1}),
        ("slot-known", "postings", 0, {"slot": NOON - 1}),
        ("energy-identity", "meters", 0, {"import_wh": 3_099}),
        ("meter-sign", "meters", 0, {"export_wh": -1}),
        ("grid-one-way", "meters", 0, {"grid_import_wh": 300, "grid_export_wh": 200}),
        ("traded-energy", "meters", 0, {"bought_wh": 2_999, "grid_import_wh": 101}),
        ("traded-energy", "trades", 0, {"buyer": "x"}),
        ("zero-sum", "postings", 0, {"amount_nusd": 0}),
        ("posting-amount", "postings", 0, {"account": "home:x"}),
        ("posting-amount", "postings", 0, {"kind": "gift"}),
        ("posting-amount", "slots", 0, {"import_uusd": 280_001}),
        ("posting-amount", "slots", 0, {"export_uusd": 60_001}),
    ],
)
def test_finds_what_was_tampered_with(books, rule, table, row, values):
    assert rule in broken_rules(edited(books, table, row, **values))


@pytest.mark.parametrize(
    ("rule", "table"),
    [("slot-once", "slots"), ("trade-once", "trades"), ("meter-once", "meters"), ("postings-once", "postings")],
)
def test_finds_what_was_booked_twice(books, rule, table):
    assert rule in broken_rules(repeated(books, table))


@pytest.mark.parametrize("table", ["slots", "trades", "meters", "postings"])
def test_finds_what_was_left_out(books, table):
    assert broken_rules(dropped(books, table))


def test_finds_sales_over_the_daily_limit(books):
    assert "daily-sell-limit" in broken_rules(books, replace(RULES, daily_sell_limit_wh=6_000))


def test_moving_money_between_homes_is_found_though_it_sums_to_zero(books):
    first, second = books.postings["amount_nusd"].head(2)
    moved = edited(edited(books, "postings", 0, amount_nusd=first - 5), "postings", 1, amount_nusd=second + 5)
    assert broken_rules(moved) == {"posting-amount"}
