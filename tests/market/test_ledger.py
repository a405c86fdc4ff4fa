import sqlite3
from dataclasses import replace

import pytest
from market_cases import NOON, PRICE_UUSD, RULES, match, meter, order

from common.errors import UserError
from common.messages import Totals
from market.ledger import AlreadyBookedError, Ledger, UnbalancedError, read_books
from market.settlement import SlotPrices, settle


def settlement_of(slot):
    trades = match(
        slot, PRICE_UUSD, [order("b", "buy", 3_000, slot=slot), order("s", "sell", 4_000, slot=slot)], RULES, 0
    )
    meters = {"b": meter(3_100, 0, slot), "s": meter(0, 4_000, slot), "holds": meter(slot=slot)}
    return settle(SlotPrices(slot, PRICE_UUSD, 280_000, 60_000), trades, meters)


def totals(home_id):
    return Totals(
        home_id=home_id, b0_nusd=9, b1_nusd=-8, battery_only_nusd=7, stored_start_wh=6, stored_end_wh=5,
        stored_value_nusd=1, charged_wh=4, discharged_wh=3,
    )  # fmt: skip


def test_reads_back_what_was_booked(tmp_path):
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.book(settlement_of(NOON))
        ledger.book(settlement_of(NOON + 1))
        ledger.book_totals(NOON, [totals("b"), totals("s")])
    books = read_books(tmp_path / "ledger.db")
    assert books.slots.to_numpy().tolist() == [[slot, PRICE_UUSD, 280_000, 60_000] for slot in (NOON, NOON + 1)]
    assert books.trades["delivered_wh"].tolist() == [2_000, 1_000] * 2
    assert books.trades["trade_id"].is_unique
    assert books.meters["home_id"].tolist() == ["b", "holds", "s"] * 2
    assert books.postings.groupby("slot")["amount_nusd"].sum().tolist() == [0, 0]
    assert set(books.postings["account"]) == {"home:b", "home:s", "grid"}
    assert books.totals.columns.tolist() == ["day_slot", *Totals.model_fields]
    assert books.totals["b1_nusd"].tolist() == [-8, -8]


def test_an_empty_ledger_has_typed_columns(tmp_path):
    with Ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        books = ledger.books()
    assert len(books.trades) == 0
    assert books.trades["delivered_wh"].dtype == "int64"


def test_refuses_a_slot_twice_and_keeps_the_first(tmp_path):
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.book(settlement_of(NOON))
        with pytest.raises(AlreadyBookedError):
            ledger.book(settlement_of(NOON))
        ledger.book_totals(NOON, [totals("b")])
        with pytest.raises(AlreadyBookedError):
            ledger.book_totals(NOON, [totals("s"), totals("b")])
        books = ledger.books()
    assert len(books.trades) == 2
    assert books.totals["home_id"].tolist() == ["b"]


def test_refuses_postings_that_do_not_sum_to_zero(tmp_path):
    settlement = settlement_of(NOON)
    first, *rest = settlement.postings
    with Ledger(tmp_path / "ledger.db") as ledger:
        with pytest.raises(UnbalancedError):
            ledger.book(replace(settlement, postings=(replace(first, amount_nusd=first.amount_nusd + 1), *rest)))
        assert len(ledger.books().slots) == 0


def test_a_booking_is_whole_or_not_at_all(tmp_path):
    settlement = settlement_of(NOON)
    twice = replace(settlement, meters=settlement.meters + settlement.meters)
    with Ledger(tmp_path / "ledger.db") as ledger:
        with pytest.raises(Exception, match="UNIQUE"):
            ledger.book(twice)
        books = ledger.books()
    assert [len(table) for table in (books.slots, books.trades, books.meters, books.postings)] == [0, 0, 0, 0]


def test_sums_what_each_home_sold(tmp_path):
    with Ledger(tmp_path / "ledger.db") as ledger:
        for slot in (NOON, NOON + 1, NOON + 2):
            ledger.book(settlement_of(slot))
        injected_wh = RULES.injected_wh(3_000)
        assert ledger.sold_wh(range(NOON + 1, NOON + 48)) == {"s": 2 * injected_wh}
        assert ledger.sold_wh(range(NOON, NOON + 2)) == {"s": 2 * injected_wh}
        assert ledger.sold_wh(range(0, NOON)) == {}


def test_says_what_is_not_a_ledger(tmp_path):
    with pytest.raises(UserError, match="no such ledger"):
        read_books(tmp_path / "nowhere.db")
    (tmp_path / "text.db").write_text("not a database, but longer than a header of one hundred bytes " * 4)
    (tmp_path / "empty.db").touch()
    for name in ("text.db", "empty.db"):
        with pytest.raises(UserError, match="not a ledger"):
            read_books(tmp_path / name)


def test_says_that_a_ledger_is_of_another_version(tmp_path):
    path = tmp_path / "old.db"
    with Ledger(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE totals DROP COLUMN stored_value_nusd")
    for opened in (read_books, Ledger):
        with pytest.raises(UserError, match=r"another version .table totals lacks stored_value_nusd.*run again"):
            opened(path)
