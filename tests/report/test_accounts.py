from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from report_cases import BATTERY, OAK, by_chance, hand_made, totals_table

from common.clock import day_slots
from report.accounts import accounts, by_span, residuals, round_trip_efficiency, spans

ONE_WAY = BATTERY.one_way_efficiency


@pytest.mark.parametrize("seed", range(5))
def test_round_trip_is_the_physics_whatever_the_change_of_charge(seed):
    charged, discharged = np.random.default_rng(seed).uniform(0, 10_000, 2)
    change = charged * ONE_WAY - discharged / ONE_WAY
    assert round_trip_efficiency(charged, discharged, change, BATTERY) == pytest.approx(0.9)


def test_round_trip_of_an_unused_battery_is_unknown():
    assert round_trip_efficiency(0, 0, 0, BATTERY) is None


def test_a_battery_that_only_charged_or_only_discharged_has_its_physics():
    assert round_trip_efficiency(1000, 0, 1000 * ONE_WAY, BATTERY) == pytest.approx(0.9)
    assert round_trip_efficiency(0, 1000, -1000 / ONE_WAY, BATTERY) == pytest.approx(0.9)


def test_what_is_left_counts_as_the_home_says():
    books = hand_made((OAK.model_copy(update={"stored_end_wh": 4000, "stored_value_nusd": 295_000_000}),))
    paid = accounts(books)
    assert (paid.stored_change_wh[1], paid.stored_value_nusd[1]) == (-1000, 295_000_000)
    assert paid.p2p_nusd[1] == paid.ledger_nusd[1] + 295_000_000


def test_residuals_find_a_wrong_posting_and_a_wrong_meter():
    books = hand_made()
    assert residuals(books) == (0, 0)
    books.postings.loc[0, "amount_nusd"] += 7
    books.meters.loc[3, "import_wh"] -= 3
    assert residuals(books) == (7, 3)


def test_spans_end_with_the_last_slot_before_the_next():
    days = [day_slots(date(2025, 7, 15)), day_slots(date(2025, 7, 20))]
    books, _ = by_chance(2, days)
    assert spans(books) == days
    parts = by_span(books)
    assert [len(part.slots) for part in parts] == [48, 48]
    assert sum(len(part.trades) for part in parts) == len(books.trades)
    assert [spans(part) for part in parts] == [[day] for day in days]


def test_a_home_that_missed_one_span_is_not_counted():
    days = [day_slots(date(2025, 7, 15)), day_slots(date(2025, 7, 16))]
    books, _ = by_chance(3, days)
    paid = accounts(replace(books, totals=books.totals[:-1]))
    assert paid.reported.tolist() == [True, True, False]
    assert paid.b1_nusd[2] == 0


def test_costs_of_the_homes_add_up_over_spans():
    days = [day_slots(date(2025, 7, 15)), day_slots(date(2025, 7, 16))]
    books, _ = by_chance(4, days)
    whole = accounts(books)
    parts = [accounts(part) for part in by_span(books)]
    assert whole.p2p_nusd.tolist() == sum(part.p2p_nusd for part in parts).tolist()


def test_books_without_a_slot_are_empty_accounts():
    books = hand_made()
    empty = replace(
        books, slots=books.slots[:0], trades=books.trades[:0], meters=books.meters[:0],
        postings=books.postings[:0], totals=totals_table({}),
    )  # fmt: skip
    assert accounts(empty).home_ids == ()
    assert residuals(empty) == (0, 0)
